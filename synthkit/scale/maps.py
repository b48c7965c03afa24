"""One map over many rows: here by `datasets.map`, on a cluster by Ray, with the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.arguments import as_count
from ..core.files import make_folder, read_json, write_bytes, write_json
from ..core.identity import run_key
from ..datasets import rows_of
from .cluster import cluster, map_on_cluster
from .stages import Stage, checked

if TYPE_CHECKING:
    from datasets import Dataset


def map_rows(
    data: Any,
    stage: Stage,
    *,
    out: str | Path | None = None,
    part: int = 10_000,
    batch_size: int = 64,
    ray: str | None = None,
    workers: int = 1,
    gpus: float = 0,
    progress: bool = False,
) -> Dataset:
    """`data` with the column that `stage` makes, in the same order.

    Rows and their values are the same here and on a cluster, to within the rounding of batches of
    other sizes: what a row gets depends on the row and its number. On a cluster the batches of a
    worker that dies are done again by the one that Ray starts in its place.

    Args:
        data: rows, in any container that `fit` takes.
        out: a folder for one Parquet file per part; an interrupted map goes on behind its last
            whole part.
        part: rows per part. batch_size: rows per call of the stage.
        ray: the address of a cluster ("auto", "ray://host:10001"), or "local" to start one on this
            machine; None: no cluster.
        workers, gpus: on the cluster: processes that each open the stage once, and GPUs of each.
        progress: show a bar.

    Raises:
        ValueError: no rows, a column of that name, or `out` holds another map.
        ImportError: ray is asked for and not installed. ConnectionError: no cluster answers.
        RuntimeError: a batch ends each worker that it is given to. Others: of the stage.
    """
    from datasets import Dataset, concatenate_datasets
    from tqdm import tqdm

    rows, part = rows_of(data), as_count(part, "part")
    if not rows:
        raise ValueError("there are no rows to map")
    if stage.column in rows[0]:
        raise ValueError(f"the rows have a column {stage.column!r} already: rename it")
    files: dict[int, Path] = {}  # by the number of a part's first row
    starts = range(0, len(rows), part)
    if out is not None:
        key = run_key(data=rows, stage=stage.identity(), column=stage.column, part=part)
        _claim(Path(out), key)
        files = {start: Path(out) / f"part-{i:05d}.parquet" for i, start in enumerate(starts)}
    missing = [start for start in starts if not (out and files[start].is_file())]
    parts = ((start, _dataset(rows[start : start + part])) for start in missing)
    with _without_bars(), cluster(ray) if ray and missing else nullcontext():
        if ray:
            mapped = map_on_cluster(parts, stage, batch_size, workers, gpus)
        else:
            mapped = _map_here(parts, stage, batch_size)
        mapped = tqdm(mapped, "parts", len(starts), initial=len(starts) - len(missing),
                      disable=not progress)  # fmt: skip
        if out is None:
            return concatenate_datasets(list(mapped))
        for start, found in zip(missing, mapped):
            write_bytes(files[start], _parquet(found))
        return concatenate_datasets([Dataset.from_parquet(str(file)) for file in files.values()])


def _dataset(rows: Iterable[Any]) -> Dataset:
    from datasets import Dataset

    return Dataset.from_list([dict(row) for row in rows])


def _claim(out: Path, key: str) -> None:
    """Make the folder for this map, or find that it is this map's."""
    make_folder(out)
    file = out / "map.json"
    if file.is_file() and read_json(file)["key"] != key:
        raise ValueError(f"{out} holds another map (other rows, stage or part): name a new folder")
    write_json(file, {"key": key})


def _parquet(data: Dataset) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    data.to_parquet(buffer)
    return buffer.getvalue()


def _map_here(
    parts: Iterable[tuple[int, Dataset]], stage: Stage, batch_size: int
) -> Iterator[Dataset]:
    """Each part, given with the number of its first row, with the stage's column."""
    opened = None
    for start, data in parts:
        opened = opened or stage.open()  # not before a part needs it

        def step(batch: dict[str, list], at: list[int], opened=opened, start=start) -> dict:
            rows = [dict(zip(batch, values)) for values in zip(*batch.values())]
            return {stage.column: checked(opened(rows, [start + i for i in at]), rows)}

        how = {"batched": True, "batch_size": batch_size, "with_indices": True}
        # A fingerprint is given, or the model would be pickled to make one.
        yield data.map(step, new_fingerprint=f"{stage.column}-{start}", **how)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Inside, `datasets` shows no bars of its own."""
    from datasets.utils.logging import disable_progress_bar, enable_progress_bar
    from datasets.utils.logging import is_progress_bar_enabled as shown

    before = shown()
    disable_progress_bar()
    try:
        yield
    finally:
        if before:
            enable_progress_bar()
