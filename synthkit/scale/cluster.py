"""A map on a Ray cluster: workers that open the stage once, and batches that outlive them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .stages import Opened, Rows, Stage, checked

if TYPE_CHECKING:
    from datasets import Dataset

CPUS = 0.5  # of a worker without a GPU
RETRIES = 5  # of a batch whose worker dies, before the batch is blamed
# By default Ray's workers yield to all else on a machine, so that a busy one lets them starve.
# Errors that the map raises are not to be shown twice.
SETTINGS = {
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
}


class Worker:
    """One process of a cluster: opens the stage once, then maps batches."""

    def __init__(self, stage: Stage):
        self.stage = stage

    @cached_property
    def opened(self) -> Opened:
        return self.stage.open()

    def map(self, rows: Rows, numbers: Sequence[int]) -> list[Any]:
        return checked(self.opened(rows, numbers), rows)


def map_on_cluster(
    parts: Iterable[tuple[int, Dataset]], stage: Stage, batch_size: int, workers: int, gpus: float
) -> Iterator[Dataset]:
    """Each part, given with the number of its first row, with the stage's column, in order.

    A worker is an actor that Ray starts again when it dies; what it had in hand is done again.

    Raises:
        ValueError: the cluster has too few CPUs or GPUs for the workers.
        RuntimeError: a batch ends each worker that it is given to. Others: of the stage.
    """
    import ray
    from datasets import Dataset, concatenate_datasets
    from ray.exceptions import RayError, RayTaskError
    from ray.util import ActorPool

    needs: Any = {"num_gpus": gpus} if gpus else {"num_cpus": CPUS}
    _check_room(ray.cluster_resources(), workers, needs)
    actor = ray.remote(**needs, max_restarts=-1, max_task_retries=RETRIES)(Worker)
    pool = ActorPool([actor.remote(stage) for _ in range(workers)])
    try:
        for start, data in parts:
            made = pool.map(lambda worker, batch: worker.map.remote(*batch),
                            list(_batches(data, start, batch_size)))  # fmt: skip
            column = Dataset.from_dict({stage.column: [value for batch in made for value in batch]})
            yield concatenate_datasets([data, column], axis=1)
    except RayTaskError as error:
        raise error.cause from error
    except RayError as error:
        raise RuntimeError(
            f"a batch ended its worker {RETRIES + 1} times ({type(error).__name__}): is the memory "
            "enough? Try a smaller batch size; whole parts are kept"
        ) from error


def _batches(data: Dataset, start: int, size: int) -> Iterator[tuple[Rows, Sequence[int]]]:
    rows = data.to_list()
    for at in range(0, len(rows), size):
        batch = rows[at : at + size]
        yield batch, range(start + at, start + at + len(batch))


def _check_room(found: Mapping[str, float], workers: int, needs: Mapping[str, float]) -> None:
    """Raise an error where a worker would wait for ever for its place."""
    for name, each in needs.items():
        kind = name.removeprefix("num_").upper()[:3]
        if workers * each > found.get(kind, 0):
            raise ValueError(
                f"{workers} workers need {workers * each:g} {kind}s, and the cluster has "
                f"{found.get(kind, 0):g}: ask for fewer workers, or add machines first"
            )


def _knock(address: str) -> None:
    """Raise OSError where nothing listens at HOST:PORT: Ray would ask there for minutes."""
    place = urlsplit(address if "://" in address else f"ray://{address}")
    if place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), timeout=10).close()


@contextmanager
def cluster(address: str) -> Iterator[None]:
    """A connection to the Ray cluster at `address`, or to one that "local" starts here.

    Raises:
        ImportError: ray is not installed. ConnectionError: no cluster answers at the address.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise ImportError("a cluster needs ray: pip install 'synthkit[ray]'") from error

    if ray.is_initialized():
        yield
        return
    options: Mapping[str, Any] = {"address": address}
    if address == "local":
        options = {"address": "local", "include_dashboard": False,
                   "_node_ip_address": "127.0.0.1", "object_store_memory": 2 * 10**8}  # fmt: skip
    try:
        _knock(address)
        ray.init(log_to_driver=False, configure_logging=False, **options)
    except Exception as error:  # ray raises its own kinds, and a bare one for a slow start
        told = f"no Ray cluster answers at {address!r} ({str(error).splitlines()[0]})"
        do = "run it again when the machine is less busy"
        if address != "local":
            do = 'start one with `ray start --head`, or use "local"'
        raise ConnectionError(f"{told}: {do}") from error
    try:
        yield
    finally:
        ray.shutdown()
