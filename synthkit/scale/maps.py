"""One map over many rows: here by `datasets.map`, on a cluster by Ray Data, with the same rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.arguments import as_count
from ..core.files import make_folder, read_json, write_bytes, write_json
from ..core.identity import run_key
from ..datasets import rows_of
from .stages import Stage

if TYPE_CHECKING:
    from datasets import Dataset

NUMBER = "row number"  # a column while rows travel
CPUS = 0.5  # of a worker without a GPU, so that tasks which feed it have room beside it


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
    other sizes: what a row gets depends on the row and its number. On a cluster Ray gives the
    batch of a worker that dies to another; this is not tested to the end yet.

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
    """
    from datasets import Dataset, concatenate_datasets
    from tqdm import tqdm

    rows, part = rows_of(data), as_count(part, "part")
    if not rows:
        raise ValueError("there are no rows to map")
    if stage.column in rows[0]:
        raise ValueError(f"the rows have a column {stage.column!r} already: rename it")
    starts = range(0, len(rows), part)
    names = [None if out is None else Path(out) / f"part-{i:05d}.parquet" for i, _ in
             enumerate(starts)]  # fmt: skip
    if out is not None:
        _claim(
            Path(out), run_key(data=rows, stage=stage.identity(), column=stage.column, part=part)
        )
    made = []
    with _mapper(stage, batch_size, ray, workers, gpus) as over:
        for start, name in zip(tqdm(starts, "parts", disable=not progress), names):
            if name is None or not name.is_file():
                some = Dataset.from_list([dict(row) for row in rows[start : start + part]])
                found = over(some, start)
                if name is not None:
                    write_bytes(name, _parquet(found))
                    found = Dataset.from_parquet(str(name))
                made.append(found)
            else:
                made.append(Dataset.from_parquet(str(name)))
    return concatenate_datasets(made)


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


@contextmanager
def _mapper(stage: Stage, batch_size: int, ray: str | None, workers: int, gpus: float) -> Iterator:
    """A function from a Dataset and the number of its first row to it with the stage's column."""
    if ray is None:
        opened = None

        def over(data: Dataset, start: int) -> Dataset:
            nonlocal opened
            opened = opened or stage.open()  # not before a part needs it

            def step(batch: dict[str, list], at: list[int]) -> dict[str, list]:
                rows = [dict(zip(batch, values)) for values in zip(*batch.values())]
                return {stage.column: _checked(opened(rows, [start + i for i in at]), rows)}

            how = {"batched": True, "batch_size": batch_size, "with_indices": True}
            # A fingerprint is given, or the model would be pickled to make one.
            return data.map(step, new_fingerprint=f"{stage.column}-{start}", **how)

        with _without_bars():
            yield over
    else:
        with cluster(ray):
            yield lambda data, start: _on_cluster(data, start, stage, batch_size, workers, gpus)


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


def _checked(values: Any, rows: list) -> list[Any]:
    values = list(values)
    if len(values) != len(rows):
        raise ValueError(f"a stage gave {len(values)} values for {len(rows)} rows")
    return values


# --- Ray ------------------------------------------------------------------------------------------


class Worker:
    """One process of a cluster: opens the stage once, then maps batches."""

    def __init__(self, stage: Stage):
        self.column, self.opened = stage.column, stage.open()

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        rows = batch.to_pylist()
        numbers = [row.pop(NUMBER) for row in rows]
        made = _checked(self.opened(rows, numbers), rows)
        return batch.append_column(self.column, pa.array(map(_plain, made)))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _on_cluster(
    data: Dataset, start: int, stage: Stage, batch_size: int, workers: int, gpus: float
) -> Dataset:
    import pyarrow as pa
    import ray.data
    from datasets import Dataset as Rows

    table = data.with_format("arrow")[:]
    table = table.append_column(NUMBER, pa.array(range(start, start + len(table))))
    blocks = [table.slice(at, batch_size) for at in range(0, len(table), batch_size)]
    mapped = ray.data.from_arrow(blocks).map_batches(
        Worker, fn_constructor_args=(stage,), batch_format="pyarrow", batch_size=None,
        compute=ray.data.ActorPoolStrategy(size=workers),
        **({"num_gpus": gpus} if gpus else {"num_cpus": CPUS}),
    )  # fmt: skip
    found = pa.concat_tables(mapped.iter_batches(batch_format="pyarrow", batch_size=None))
    return Rows(found.sort_by(NUMBER).drop_columns(NUMBER))


@contextmanager
def cluster(address: str) -> Iterator[None]:
    """A connection to the Ray cluster at `address`, or to one that "local" starts here.

    Raises:
        ImportError: ray is not installed. ConnectionError: no cluster answers at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError("a cluster needs ray: pip install 'synthkit[ray]'") from error

    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: Mapping[str, Any] = {"address": address}
    if address == "local":
        options = {"address": "local", "include_dashboard": False, "object_store_memory": 2 * 10**8}
    try:
        ray.init(log_to_driver=False, configure_logging=False, **options)
    except Exception as error:  # ray raises its own kinds, and a bare one for a slow start
        raise ConnectionError(
            f"no Ray cluster answers at {address!r} ({str(error).splitlines()[0]}): start one with "
            '`ray start --head`, or use "local"'
        ) from error
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
    finally:
        ray.shutdown()
