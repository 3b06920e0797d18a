"""What a worker of a cluster does for one run: it puts what has travelled in place, starts the run's keeper there, and
hands on what that sends.

It travels to the node as it is here, so that it uses the standard library and Ray alone.
"""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

Frame = tuple[dict[str, Any], bytes]
"""What is said of a run, and the content that goes with it."""


def relay(order: dict[str, Any], folder: bytes, *contents: bytes) -> Iterator[Frame]:
    """Runs one job on this node, giving frames as they come; the first, `begun`, says that there was room, and the
    last is `end`, or `broken` where the keeper itself failed.

    `order` is the job as `harness.launch.travel.build_order` writes it, `folder` an archive of the run's folder, and
    `contents` are those of the order's packages and files. Where the generator is closed or its process killed, the
    keeper meets the end of its input, and ends the run.
    """
    import ray

    node = ray.get_runtime_context().get_node_id()
    root = Path(tempfile.gettempdir()) / order["root"] / node
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    yield {"kind": "begun"}, b""
    places: dict[str, str] = {}
    for item, content in zip(order["contents"], contents, strict=True):
        if hashlib.sha256(content).hexdigest() != item["sha256"]:
            raise ValueError(f"{item['name']} came to the node damaged")
        places |= dict.fromkeys(item["places"], str(_place(root, item, content)))
    with tempfile.TemporaryDirectory(dir=root, ignore_cleanup_errors=True) as scratch:
        run = Path(scratch) / order["job"]["name"]
        run.mkdir()
        _unpack(folder, run)
        places |= dict.fromkeys(order["folders"], str(run))
        order = {**order, "places": places, "root": str(root), "python": [order["python"], sys.executable]}
        program = places[order["program"]]
        command = [sys.executable, "-P", f"{program}/harness/start.py", program, "harness.launch.keeper"]
        # In a session of its own: what Ray sends to the worker's group must not cut its work short.
        pipe = subprocess.PIPE
        with (Path(scratch) / "said").open("w+b") as said:
            keeper = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=said, start_new_session=True)
            assert keeper.stdin is not None and keeper.stdout is not None
            try:
                with suppress(BrokenPipeError):
                    keeper.stdin.write(json.dumps(order).encode() + b"\n")
                    keeper.stdin.flush()
                while (frame := read_frame(keeper.stdout)) is not None:
                    yield frame
            finally:
                keeper.stdout.close()  # first, or a keeper that still sends would wait for ever
                with suppress(BrokenPipeError):
                    keeper.stdin.close()
                keeper.wait()
            if keeper.returncode > 0:
                said.seek(0)
                last = said.read().decode(errors="replace").strip().rpartition("\n")[2]
                yield {"kind": "broken", "message": last}, b""


def remove(root: str) -> None:
    """Removes all that runs have put onto this node."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    folder = Path(tempfile.gettempdir()) / root
    shutil.rmtree(folder / node, ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()


def write_frame(pipe: IO[bytes], header: dict[str, Any], content: bytes = b"") -> None:
    """Sends a frame through a pipe."""
    checked = {**header, "num_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    pipe.write(json.dumps(checked).encode() + b"\n" + content)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> Frame | None:
    """The next frame of a pipe; None where it has ended, be it in the middle of one."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        return None
    header = json.loads(line)
    content = pipe.read(header["num_bytes"])
    return (header, content) if len(content) == header["num_bytes"] else None


def _place(root: Path, item: dict[str, Any], content: bytes) -> Path:
    """Where packages, a file or a dataset stand on this node; they are put there by the first run that needs them."""
    place = root / f"{item['kind']}-{item['sha256'][:16]}"
    if not place.exists():
        new = Path(tempfile.mkdtemp(dir=root))
        if item["kind"] == "file":
            (new / item["name"]).write_bytes(content)
        else:
            _unpack(content, new)
        try:
            new.rename(place)
        except OSError:  # another run was first
            assert place.exists()
    return place / item["name"] if item["kind"] == "file" else place


def _unpack(archive: bytes, folder: Path) -> None:
    if archive:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
