"""`implicit`'s CosineRecommender on saved likes: seconds and memory as JSON, neighbours and lists as files.

On one thread seconds are of the processor, as on our side.

Runs in a venv of its own: `python implicit_item_cf.py FOLDER K N THREADS`.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix

folder, k, n, threads = Path(sys.argv[1]), *map(int, sys.argv[2:5])
user, item = np.load(folder / "user.npy"), np.load(folder / "item.npy")
likes = csr_matrix((np.ones(len(user), np.float32), (user, item)))
likes.sum_duplicates()
del user, item
# It counts the item itself among the K.
model = CosineRecommender(K=k + 1, num_threads=threads)
clock = time.process_time if threads == 1 else time.perf_counter
started = clock()
model.fit(likes, show_progress=False)
fitted = clock()
ids, _ = model.recommend(np.arange(likes.shape[0]), likes, N=n, filter_already_liked_items=True)
done = clock()
# Not `ru_maxrss`, which a child has from the process that started it.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak = int(status["VmHWM"].split()[0]) / 2**20
similar = model.similarity.tocsr()
np.save(folder / "peer_offsets.npy", similar.indptr)
np.save(folder / "peer_neighbours.npy", similar.indices)
np.save(folder / "peer_similarities.npy", similar.data)
np.save(folder / "peer_lists.npy", ids)
print(json.dumps({"fit": fitted - started, "recommend": done - fitted, "peak_gib": peak}))
