"""Users and items as Arrow tables: what a platform knows of them, without what is latent."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.simulated.follows import Follows
from benchmarks.datasets.simulated.items import Items
from benchmarks.datasets.simulated.places import CITIES, QUARTERS, Places
from benchmarks.datasets.simulated.topics import CATEGORIES, CHILDREN, PARENTS, Array, Random, choose
from benchmarks.datasets.simulated.users import AGES, GENDERS, Users

WORDS = 12
"""Keywords that a second-level category has to itself."""
COMMON = 40
"""Keywords that all categories share."""
MOST_WORDS = 4


def ids(letter: str, count: int, digits: int) -> pa.Array:
    """`u0000000`, `u0000001`, …: as text in the order of their numbers."""
    numbers = pa.array(np.arange(count)).cast(pa.string())
    return pc.binary_join_element_wise(
        letter, pc.utf8_lpad(numbers, max(digits, len(str(count - 1))), "0"), ""
    )


def user_ids(count: int) -> pa.Array:
    """Row `r` of the users is the `r`-th id."""
    return ids("u", count, 7)


def item_ids(count: int) -> pa.Array:
    """Row `r` of the items is the `r`-th id; ids grow with the time of publishing."""
    return ids("i", count, 6)


def users_table(users: Users, places: Places, follows: Follows) -> pa.Table:
    """Profiles; `followed_authors` as of the start of the log, so that none of it is from the future."""
    return pa.table(
        {
            "user_id": user_ids(len(users.age)),
            "age": pa.array(AGES).take(pa.array(users.age)),
            "gender": pa.array(GENDERS).take(pa.array(users.gender)),
            "city": ids("city", CITIES, 2).take(pa.array(users.cell // QUARTERS)),
            "geohash": pa.array(places.geohash).take(pa.array(users.cell)),
            "registered": pa.array(users.registered),
            "followed_authors": _followed(follows, len(users.age)),
        }
    )


def _followed(follows: Follows, users: int) -> pa.Array:
    starts = np.searchsorted(follows.keys, np.arange(users + 1) * follows.authors)
    names = ids("a", follows.authors, 5).take(pa.array(follows.keys % follows.authors))
    return pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), names)


def items_table(items: Items, authors: int, places: Places, rng: Random) -> pa.Table:
    """What is published of items; `place` is a geohash, null where an item is about none."""
    nowhere = items.cell < 0
    parents, children = ids("c", PARENTS, 2), _children()
    cell = pa.array(np.maximum(items.cell, 0), mask=nowhere)
    content = {f"content_{column}": pa.array(values) for column, values in enumerate(items.content.T)}
    return pa.table(
        {
            "item_id": item_ids(len(items.author)),
            "author_id": ids("a", authors, 5).take(pa.array(items.author)),
            "category_1": parents.take(pa.array(items.category // CHILDREN)),
            "category_2": children.take(pa.array(items.category)),
            "keywords": _keywords(items.category, rng),
            "place": pa.array(places.geohash).take(cell),
            "published": pa.array(items.published),
            "duration": pa.array(items.duration.astype(np.int64)),
            "form": pa.array(["text", "video"]).take(pa.array(items.video.astype(np.int8))),
            **content,
        }
    )


def _children() -> pa.Array:
    parents = ids("c", PARENTS, 2).take(pa.array(np.arange(CATEGORIES) // CHILDREN))
    own = pa.array(np.arange(CATEGORIES) % CHILDREN).cast(pa.string())
    return pc.binary_join_element_wise(parents, own, "_")


def _keywords(category: Array, rng: Random) -> pa.Array:
    """One to four words, the first ones of a category's vocabulary the most often, few of all."""
    own = choose(rng, 1 / np.arange(1, WORDS + 1), (len(category), MOST_WORDS)) + WORDS * category[:, None]
    common = CATEGORIES * WORDS + rng.integers(0, COMMON, own.shape)
    words = np.where(rng.random(own.shape) < 0.8, own, common)
    words.sort(axis=1)
    wanted = rng.integers(1, MOST_WORDS + 1, len(words))
    kept = np.arange(MOST_WORDS) < wanted[:, None]
    kept[:, 1:] &= words[:, 1:] != words[:, :-1]
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int32)
    names = ids("w", CATEGORIES * WORDS + COMMON, 3)
    return pa.ListArray.from_arrays(pa.array(starts), names.take(pa.array(words[kept])))
