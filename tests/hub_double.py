"""A double of the Hugging Face Hub that speaks its wire protocol over HTTP on loopback, for the unmodified client.

It keeps repos, commits, branches, tags and LFS objects in memory, answers what huggingface_hub asks to publish and to
fetch, and can be told to fail as a Hub, or the network before it, does. LFS objects are served from another host name,
as they are by the Hub's CDN. Xet is not spoken: the client's setting HF_HUB_DISABLE_XET keeps it to LFS.
"""

import asyncio
import base64
import hashlib
import io
import json
import multiprocessing
import os
import re
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

TOKEN = "hf_of_user"
"""Owns all repos of `user`"""
REPO = "/{user}/{name}"


@dataclass(frozen=True)
class File:
    """A file of a commit."""

    content: bytes
    in_lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def oid(self) -> str:
        """Git's hash of the file or of its LFS pointer"""
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        stored = pointer.encode() if self.in_lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(stored) + stored).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.in_lfs else self.oid

    def listed(self, path: str) -> dict:
        entry = {"type": "file", "path": path, "size": len(self.content), "oid": self.oid}
        lfs = {"oid": self.sha256, "size": len(self.content), "pointerSize": 134}
        return entry | ({"lfs": lfs} if self.in_lfs else {})


@dataclass
class Repo:
    """A repo's commits by their hashes, what each came after, and its branches and tags."""

    private: bool
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, File]) -> str:
        """Puts a commit of these files on a branch; gives its hash."""
        parent = self.branches.get(branch)
        named = [parent, branch, *((path, file.oid) for path, file in sorted(files.items()))]
        sha = hashlib.sha1(repr(named).encode()).hexdigest()
        self.commits[sha] = files
        self.parents[sha] = parent
        self.branches[branch] = sha
        return sha

    def resolve(self, revision: str) -> str:
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        if sha not in self.commits:
            raise refusal(404, "RevisionNotFound")
        return sha


@dataclass
class Fault:
    """What befalls the next requests whose "METHOD path" matches."""

    pattern: str
    act: Callable[[Request], Response | None]
    times: int


def refusal(status: int, code: str = "", **headers: str) -> HTTPException:
    return HTTPException(status, code, {"X-Error-Code": code, "X-Error-Message": code} | headers)


class HubDouble:
    """One Hub. `asked` has "METHOD path" of every request, `received` the body of each that had one."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.received: list[bytes] = []
        self._faults: list[Fault] = []
        self._gathered: tuple[str, asyncio.Barrier] | None = None
        self._port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # What a test sets up and looks at

    def put(self, repo: str, files: dict[str, bytes], kind: str = "model", private: bool = False) -> str:
        """Commits these files to `main`, instead of what is there; gives the commit's hash."""
        stored = {path: self._stored(path, content) for path, content in files.items()}
        return self.repos.setdefault((kind, repo), Repo(private)).commit("main", stored)

    def files(self, repo: str, revision: str = "main", kind: str = "model") -> dict[str, bytes]:
        """What a revision holds"""
        found = self.repos[kind, repo]
        return {path: file.content for path, file in found.commits[found.resolve(revision)].items()}

    def _stored(self, path: str, content: bytes) -> File:
        file = File(content, in_lfs=path.endswith(".safetensors"))
        self.objects[file.sha256] = content
        return file

    # How it fails

    def answer(self, pattern: str, status: int, times: int = 1, **headers: str) -> None:
        """Answers the next requests for what matches with this status."""
        self._faults.append(Fault(pattern, lambda _: Response(status_code=status, headers=headers), times))

    def meanwhile(self, pattern: str, act: Callable[[], object]) -> None:
        """Does this first when a request matches, once."""
        self._faults.append(Fault(pattern, lambda _: act() and None, 1))

    def gather(self, pattern: str, number: int) -> None:
        """Lets the next requests that match wait until there are so many of them."""
        self._gathered = pattern, asyncio.Barrier(number)

    def damage(self, pattern: str, times: int) -> None:
        """Sends other bytes, as many, the next times."""

        def act(request: Request) -> Response:
            content, headers = self._content(request)
            return Response(content[:-1] + bytes([content[-1] ^ 1]), headers=headers)

        self._faults.append(Fault(pattern, act, times))

    def die(self, pattern: str) -> None:
        """Stops serving in the middle of the answer to the next request that matches."""

        def act(request: Request) -> Response:
            content, _ = self._content(request)

            async def half() -> AsyncIterator[bytes]:
                yield content[: len(content) // 2]
                await asyncio.sleep(0.5)  # smaller files, fetched at the same time, arrive
                self._abort()
                yield content[len(content) // 2 :]

            return StreamingResponse(half(), headers={"Content-Length": str(len(content))})

        self._faults.append(Fault(pattern, act, 1))

    def _content(self, request: Request) -> tuple[bytes, dict[str, str]]:
        """What a request for a file asks for, and the headers that come with it"""
        asked = request.path_params
        if "oid" in asked:
            return self.objects[asked["oid"]], {}
        found = self.repos["model", f"{asked['user']}/{asked['name']}"]
        sha = found.resolve(asked["revision"])
        file = found.commits[sha][asked["path"]]
        return file.content, {"X-Repo-Commit": sha, "ETag": f'"{file.etag}"'}

    def forgive(self) -> None:
        """Fails no more."""
        self._faults.clear()

    # Serving

    def start(self) -> None:
        """Serves, on the port that it had before if it had one."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(self._app(), log_level="critical", lifespan="off", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    def _abort(self) -> None:
        """Hangs up on everyone and takes no more calls, as a killed process does; from within its event loop."""
        for server in self._server.servers:
            server.close()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        self._server.should_exit = self._server.force_exit = True

    def _app(self) -> Starlette:
        routes = [
            Route("/api/whoami-v2", self._whoami),
            Route("/api/repos/create", self._create, methods=["POST"]),
            Route("/api/validate-yaml", self._validate, methods=["POST"]),
            Route("/lfs/{oid}/{path:path}", self._object, methods=["GET", "PUT"]),
            Route("/verify", self._verify, methods=["POST"]),
        ]
        for kind, prefix in (("model", ""), ("space", "/spaces")):
            api = f"/api/{kind}s{REPO}"
            routes += [
                self._repo_route(kind, api, self._info),
                self._repo_route(kind, f"{api}/refs", self._refs),
                self._repo_route(kind, f"{api}/revision/{{revision:path}}", self._info),
                self._repo_route(kind, f"{api}/tree/{{revision:path}}", self._tree),
                self._repo_route(kind, f"{api}/preupload/{{revision:path}}", self._preupload, "POST"),
                self._repo_route(kind, f"{api}/commit/{{revision:path}}", self._commit, "POST"),
                self._repo_route(kind, f"{api}/branch/{{revision:path}}", self._branch, "POST"),
                self._repo_route(kind, f"{api}/tag/{{revision:path}}", self._tag, "POST"),
                self._repo_route(kind, f"{prefix}{REPO}.git/info/lfs/objects/batch", self._batch, "POST"),
                self._repo_route(kind, f"{prefix}{REPO}/resolve/{{revision}}/{{path:path}}", self._resolve),
            ]
        return Starlette(routes=routes)

    def _repo_route(self, kind: str, path: str, answer: Callable, method: str = "GET") -> Route:
        """A request about a repo: `answer(repo, request)`, when the repo is there and the token may do this."""

        async def endpoint(request: Request) -> Response:
            await self._note(request)
            user, name = request.path_params["user"], request.path_params["name"]
            repo = self.repos.get((kind, f"{user}/{name}"))
            owner = self._is_owner(request)
            if repo is None or (repo.private and not owner):
                raise refusal(404 if owner else 401, "RepoNotFound")
            if method == "POST" and not owner:
                raise refusal(401)
            await self._wait_for_others(request)
            return self._fault(request) or answer(repo, request)

        return Route(path, endpoint, methods=[method])

    async def _note(self, request: Request) -> None:
        self.asked.append(f"{request.method} {request.url.path}")
        request.state.body = await request.body()
        if request.state.body:
            self.received.append(request.state.body)

    async def _wait_for_others(self, request: Request) -> None:
        if self._gathered and re.search(self._gathered[0], f"{request.method} {request.url.path}"):
            await self._gathered[1].wait()

    def _fault(self, request: Request) -> Response | None:
        for fault in self._faults:
            if fault.times and re.search(fault.pattern, f"{request.method} {request.url.path}"):
                fault.times -= 1
                if (response := fault.act(request)) is not None:
                    return response
        return None

    @staticmethod
    def _is_owner(request: Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"

    async def _whoami(self, request: Request) -> Response:
        await self._note(request)
        if not self._is_owner(request):
            raise refusal(401)
        return JSONResponse({"type": "user", "name": "user", "orgs": [], "auth": {"type": "access_token"}})

    async def _create(self, request: Request) -> Response:
        await self._note(request)
        if not self._is_owner(request):
            raise refusal(401)
        asked = json.loads(request.state.body)
        kind, name = asked.get("type", "model"), f"{asked['organization']}/{asked['name']}"
        if asked["organization"] != "user":
            raise refusal(403)
        if kind == "space" and asked.get("sdk") != "gradio":
            raise refusal(400)
        url = f"{self.endpoint}/{'spaces/' * (kind == 'space')}{name}"
        if (kind, name) in self.repos:
            return JSONResponse({"error": "You already created this repo", "url": url}, 409)
        self.put(name, {".gitattributes": b"*.safetensors filter=lfs\n"}, kind, asked.get("visibility") == "private")
        return JSONResponse({"url": url})

    async def _validate(self, request: Request) -> Response:
        await self._note(request)
        content = json.loads(request.state.body)["content"]
        try:
            front = yaml.safe_load(content.split("---\n")[1]) if content.startswith("---\n") else {}
            errors = [] if isinstance(front, dict) else [{"message": "The metadata is not a mapping."}]
        except yaml.YAMLError as error:
            errors = [{"message": str(error)}]
        return JSONResponse({"errors": errors, "warnings": []}, 400 if errors else 200)

    def _info(self, repo: Repo, request: Request) -> Response:
        sha = repo.resolve(request.path_params.get("revision", "main"))
        name = "{user}/{name}".format(**request.path_params)
        siblings = [{"rfilename": path} for path in repo.commits[sha]]
        return JSONResponse({"id": name, "sha": sha, "private": repo.private, "siblings": siblings})

    def _refs(self, repo: Repo, request: Request) -> Response:
        def listed(kind: str, refs: dict[str, str]) -> list[dict]:
            return [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": sha} for n, sha in refs.items()]

        return JSONResponse(
            {"branches": listed("heads", repo.branches), "tags": listed("tags", repo.tags), "converts": []}
        )

    def _tree(self, repo: Repo, request: Request) -> Response:
        files = repo.commits[repo.resolve(request.path_params["revision"])]
        return JSONResponse([file.listed(path) for path, file in sorted(files.items())])

    def _preupload(self, repo: Repo, request: Request) -> Response:
        files = repo.commits[repo.resolve(request.path_params["revision"])]
        answers = []
        for asked in json.loads(request.state.body)["files"]:
            path, there = asked["path"], files.get(asked["path"])
            mode = "lfs" if path.endswith(".safetensors") or asked["size"] > 10_000_000 else "regular"
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": there and there.etag})
        return JSONResponse({"files": answers})

    def _batch(self, repo: Repo, request: Request) -> Response:
        answers = []
        for asked in json.loads(request.state.body)["objects"]:
            actions = {
                "upload": {"href": f"{self.endpoint}/lfs/{asked['oid']}/upload"},
                "verify": {"href": f"{self.endpoint}/verify"},
            }
            answers.append(asked | ({} if asked["oid"] in self.objects else {"actions": actions}))
        return JSONResponse({"transfer": "basic", "objects": answers})

    async def _verify(self, request: Request) -> Response:
        await self._note(request)
        asked = json.loads(request.state.body)
        stored = self.objects.get(asked["oid"])
        return Response(status_code=200 if stored is not None and len(stored) == asked["size"] else 404)

    async def _object(self, request: Request) -> Response:
        await self._note(request)
        if (fault := self._fault(request)) is not None:
            return fault
        oid = request.path_params["oid"]
        if request.method == "PUT":
            content = request.state.body
            if hashlib.sha256(content).hexdigest() != oid:
                raise refusal(400)
            self.objects[oid] = content
            return Response()
        content, headers = self.objects[oid], {"Accept-Ranges": "bytes"}
        if wanted := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")):
            start = int(wanted[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return Response(content[start:], 206, headers)
        return Response(content, headers=headers)

    def _commit(self, repo: Repo, request: Request) -> Response:
        branch = request.path_params["revision"]
        if branch not in repo.branches:
            raise refusal(404, "RevisionNotFound")
        header, *operations = [json.loads(line) for line in request.state.body.splitlines()]
        head = repo.branches[branch]
        if header["value"].get("parentCommit", head) != head:
            return JSONResponse({"error": "A commit has happened since. Please refresh and try again."}, 412)
        files = dict(repo.commits[head])
        for operation in operations:
            value = operation["value"]
            match operation["key"]:
                case "file":
                    files[value["path"]] = File(base64.b64decode(value["content"]), in_lfs=False)
                case "lfsFile":
                    files[value["path"]] = File(self.objects[value["oid"]], in_lfs=True)
                case "deletedFile":
                    del files[value["path"]]
        sha = repo.commit(branch, files)
        url = f"{self.endpoint}/{request.path_params['user']}/{request.path_params['name']}/commit/{sha}"
        return JSONResponse({"success": True, "commitOid": sha, "commitUrl": url})

    def _branch(self, repo: Repo, request: Request) -> Response:
        name = request.path_params["revision"]
        if name in repo.branches:
            return JSONResponse({"error": "Reference already exists"}, 409)
        repo.branches[name] = repo.resolve(json.loads(request.state.body).get("startingPoint", "main"))
        return JSONResponse({})

    def _tag(self, repo: Repo, request: Request) -> Response:
        tag = json.loads(request.state.body)["tag"]
        if tag in repo.tags:
            return JSONResponse({"error": "Tag reference exists already"}, 409)
        repo.tags[tag] = repo.resolve(request.path_params["revision"])
        return JSONResponse({})

    def _resolve(self, repo: Repo, request: Request) -> Response:
        sha, path = repo.resolve(request.path_params["revision"]), request.path_params["path"]
        file = repo.commits[sha].get(path)
        headers = {"X-Repo-Commit": sha}
        if file is None:
            raise refusal(404, "EntryNotFound", **headers)
        if not file.in_lfs:
            return Response(file.content, headers=headers | {"ETag": f'"{file.etag}"'})
        headers |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(len(file.content))}
        location = f"http://localhost:{self._port}/lfs/{file.sha256}/{path}"
        return Response(status_code=302, headers=headers | {"Location": location})


@contextmanager
def serving() -> Iterator[HubDouble]:
    """A new, empty Hub, for as long as the context lasts."""
    hub = HubDouble()
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


# huggingface_hub reads its settings when it is imported, so what is done under other settings is done in a process of
# its own. They are forked from one that has loaded what takes long to load and nothing that reads settings.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["malaygpt.translator", "train.publish", "train.space"])


@dataclass(frozen=True)
class Outcome:
    """How a function ended in a process of its own."""

    value: object
    """What it returned, or the message of what it raised"""
    raised: str | None
    """The name of that exception's class"""
    output: str
    """What it wrote on stdout and stderr"""
    seconds: float


@dataclass(frozen=True)
class User:
    """Someone with a cache directory and, perhaps, a token, who works with a Hub."""

    hub: str
    """Its endpoint"""
    home: Path
    token: str | None = None

    def settings(self, **more: str) -> dict[str, str]:
        """The environment's variables that huggingface_hub reads"""
        given = {"HF_ENDPOINT": self.hub, "HF_HOME": str(self.home), "HF_HUB_DISABLE_XET": "1"}
        quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        return given | quiet | ({"HF_TOKEN": self.token} if self.token else {}) | more

    def run(self, function: Callable, *arguments: object, **more: str) -> Outcome:
        """Calls a function of a module in a new process with these settings, and waits for its end."""
        return self.start(function, *arguments, **more)()

    def start(self, function: Callable, *arguments: object, **more: str) -> Callable[[], Outcome]:
        """The same without waiting: what is returned waits."""
        here, there = _processes.Pipe(duplex=False)
        task = (function, arguments, self.settings(**more), there)
        process = _processes.Process(target=_work, args=task)
        process.start()
        there.close()

        def wait() -> Outcome:
            assert here.poll(180), "the process takes too long"
            outcome = here.recv()
            process.join()
            return outcome

        return wait


def _work(function: Callable, arguments: tuple, settings: dict[str, str], results: Connection) -> None:
    """What a new process does."""
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
        del os.environ[name]
    os.environ.update(settings)
    assert "huggingface_hub" not in sys.modules, "the settings would come too late"
    output, begun, value, raised = io.StringIO(), time.monotonic(), None, None
    with redirect_stdout(output), redirect_stderr(output):
        try:
            value = function(*arguments)
        except Exception as error:
            value, raised = str(error), type(error).__name__
    results.send(Outcome(value, raised, output.getvalue(), time.monotonic() - begun))
