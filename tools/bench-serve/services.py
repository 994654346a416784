"""How is each service started, and what does it take?

All serve the same model on a free port of loopback. The others classify in one process with one thread of ONNX Runtime, and
kana with one worker, so that figures per request compare; LitServe has one process for HTTP and one for the model. kana's
settings are its defaults except for the number of workers.
"""
import collections
import json
import pathlib

import environments
from processes import Service, free_port

SERVERS = pathlib.Path(__file__).resolve().parent / "servers"

# A form in which a service takes an image: path, media type, and the ending of the files that `prepare.py` wrote.
Form = collections.namedtuple("Form", "path media_type ending")
# What all services share: the program `kana`, its number of workers, and the folders of environments and of the model.
Setup = collections.namedtuple("Setup", "kana workers environments model")

KANA_FORMS = {
    "png": Form("/v1/classify", "image/png", "png"),
    "raw": Form("/v1/classify", "image/x-portable-graymap", "pgm"),
}
FORMS = {
    "kana-up": KANA_FORMS,
    "kana-redis": KANA_FORMS,
    "kana-apart": KANA_FORMS,
    "fastapi": {
        "png": Form("/classify", "image/png", "png"),
        "raw": Form("/raw", "application/octet-stream", "raw"),
    },
    "litserve": {
        "png": Form("/predict", "application/json", "litserve-png.json"),
        "raw": Form("/predict", "application/json", "litserve-raw.json"),
    },
    "mlserver": {
        "png": Form("/v2/models/kana/infer", "application/json", "v2-png.json"),
        "raw": Form("/v2/models/kana/infer", "application/json", "v2-raw.json"),
    },
}
DESCRIPTIONS = {
    "kana-up": "`kana up`, its own queue",
    "kana-redis": "`kana up --queue redis://…`; Redis with `appendonly yes`, else its defaults, and its time counted",
    "kana-apart": "`kana gateway` and `kana worker`, `--queue sqlite:PATH`",
    "fastapi": "FastAPI, Pillow, ONNX Runtime: one uvicorn process, no queue",
    "litserve": "LitServe: pictures and pixels as base64 in JSON",
    "mlserver": "MLServer in one process: V2 protocol over HTTP; pictures as base64 and pixels as numbers in JSON",
}


def is_kana(name):
    return name.startswith("kana-")


def start(name, setup, folder):
    """Starts the service `name` with its files in `folder`. Returns it and its port when it answers."""
    service, port = Service(folder), free_port()
    starts = {"kana-up": up, "kana-redis": up_with_redis, "kana-apart": apart, "fastapi": fastapi, "litserve": litserve,
              "mlserver": mlserver}
    try:
        starts[name](service, setup, port)
    except BaseException:
        service.stop()
        raise
    return service, port


def up(service, setup, port, *more):
    count = str(setup.workers)
    service.start([setup.kana, "up", "--listen", f"127.0.0.1:{port}", "--data-dir", "kana-data", "--log", "warn",
                   "--min", count, "--max", count, *more])
    service.wait_for(port, "/readyz")


def up_with_redis(service, setup, port):
    redis = free_port()
    service.start(["redis-server", "--port", str(redis), "--bind", "127.0.0.1", "--dir", str(service.folder),
                   "--appendonly", "yes"])
    service.wait_for(redis, None)
    up(service, setup, port, "--queue", f"redis://127.0.0.1:{redis}")


def apart(service, setup, port):
    queue = ["--queue", f"sqlite:{service.folder / 'queue.sqlite'}", "--log", "warn"]
    service.start([setup.kana, "gateway", "--listen", f"127.0.0.1:{port}", *queue])
    service.wait_for(port, "/readyz")
    for _ in range(setup.workers):
        service.start([setup.kana, "worker", *queue])


def python_server(service, setup, requirements, command, **more):
    python = environments.python_of(setup.environments, requirements)
    environment = {"MODEL": str(setup.model / "kana.onnx"), "LABELS": str(setup.model / "labels.json")}
    service.start([str(python), *command], {**environment, **more})


def fastapi(service, setup, port):
    command = ["-m", "uvicorn", "--app-dir", str(SERVERS), "fastapi_app:app", "--port", str(port), "--no-access-log",
               "--log-level", "warning"]
    python_server(service, setup, "fastapi", command)
    service.wait_for(port, "/openapi.json")


def litserve(service, setup, port):
    python_server(service, setup, "litserve", [str(SERVERS / "litserve_app.py")], PORT=str(port))
    service.wait_for(port, "/health")


def mlserver(service, setup, port):
    # Without processes of its own for models: with its default of one it serves a third of the requests here.
    settings = {"debug": False, "parallel_workers": 0, "host": "127.0.0.1", "http_port": port, "grpc_port": free_port(),
                "metrics_port": free_port(), "metrics_dir": str(service.folder / "metrics")}
    for file in (SERVERS / "mlserver").glob("[!_]*.*"):
        (service.folder / file.name).write_text(file.read_text())
    (service.folder / "settings.json").write_text(json.dumps(settings))
    folder = str(service.folder)
    program = setup.environments / "mlserver" / "bin" / "mlserver"
    python_server(service, setup, "mlserver", [str(program), "start", folder], PYTHONPATH=folder)
    service.wait_for(port, "/v2/models/kana/ready")
