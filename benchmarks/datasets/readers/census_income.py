"""Census-Income (KDD) of UCI: `census-income.data` and `.test`, plain, gzip'd, or in `census.tar.gz`."""

from __future__ import annotations

import gzip
import io
import tarfile

import pyarrow as pa

from benchmarks.datasets.readers.rows import TEXT, WHOLE, Opened, Raw, content, first_of, table

PARTS = {"census-income.data": 0, "census-income.test": 2}
_NAMES = (
    "age class_worker det_ind_code det_occ_code education wage_per_hour hs_college marital_stat "
    "major_ind_code major_occ_code race hisp_origin sex union_member unemp_reason full_or_part_emp "
    "capital_gains capital_losses stock_dividends tax_filer_stat region_prev_res state_prev_res "
    "det_hh_fam_stat det_hh_summ instance_weight mig_chg_msa mig_chg_reg mig_move_reg mig_same "
    "mig_prev_sunbelt num_emp fam_under_18 country_father country_mother country_self citizenship "
    "own_or_self vet_question vet_benefits weeks_worked year income_50k"
)
NAMES = _NAMES.split()
NUMBERS = {
    "age",
    "wage_per_hour",
    "capital_gains",
    "capital_losses",
    "stock_dividends",
    "num_emp",
    "weeks_worked",
}


def read(files: Opened) -> Raw:
    """The raw tables, without the weight that the publisher says is no feature."""
    kinds = {name: WHOLE if name in NUMBERS else TEXT for name in NAMES if name != "instance_weight"}
    parts = []
    for name, split in PARTS.items():
        rows = table({name: _bytes(files, name)}, name, kinds, ", ", NAMES)
        parts.append(rows.append_column("split", pa.repeat(pa.scalar(split, WHOLE), rows.num_rows)))
    return {"events": pa.concat_tables(parts)}


def _bytes(files: Opened, name: str) -> bytes:
    found = first_of(files, name, f"{name}.gz", "census.tar.gz")
    data = content(files, found)
    if found == "census.tar.gz":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = archive.extractfile(name)
            return member.read() if member else b""
    return gzip.decompress(data) if found.endswith(".gz") else data
