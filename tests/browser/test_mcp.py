"""`python app.py --mcp`, asked by the official client of the Model Context Protocol."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult

from .running import ROOT, running_app
from .test_api import call


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[ClientSession]:
    async with (
        streamable_http_client(f"{url}/gradio_api/mcp/") as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        yield session


@dataclass(frozen=True)
class Agent:
    """A client with a thread of its own: Playwright holds the event loop of the tests' thread."""

    url: str
    portal: BlockingPortal
    session: ClientSession

    def use(self, tool: str, **arguments: object) -> CallToolResult:
        return self.portal.call(self.session.call_tool, tool, arguments)


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with (
        running_app("--mcp") as url,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(connected(url)) as session,
    ):
        yield Agent(url, portal, session)


def test_translate_is_the_only_tool_and_says_what_it_takes(agent: Agent) -> None:
    (tool,) = agent.portal.call(agent.session.list_tools).tools
    assert tool.name == "translate"
    assert "English" in tool.description and "Malay" in tool.description
    assert tool.inputSchema["required"] == ["text"]
    assert tool.inputSchema["properties"].keys() == {"text"}
    text = tool.inputSchema["properties"]["text"]
    assert text["type"] == "string" and "5000 characters" in text["description"]


def test_tool_and_api_give_the_same_malay(agent: Agent) -> None:
    text = "The meeting is on Friday.\n\nPlease come early."
    result = agent.use("translate", text=text)
    assert not result.isError
    assert call(agent.url, text) == ("complete", [content.text for content in result.content])


REFUSALS = [("", "Type some English"), ("a" * 5001, "5,001 characters"), (7, "string")]


@pytest.mark.parametrize(("text", "reason"), REFUSALS)
def test_tool_says_why_it_refuses(agent: Agent, text: object, reason: str) -> None:
    result = agent.use("translate", text=text)
    assert result.isError
    assert reason in result.content[0].text


def test_what_only_the_page_calls_is_no_tool(agent: Agent) -> None:
    assert agent.use("stream", text="Good morning.").isError


def test_another_major_version_of_mcp_is_refused_in_one_line(tmp_path: Path) -> None:
    metadata = tmp_path / "mcp-2.0.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: mcp\nVersion: 2.0.0\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "app.py", "--mcp"]
    app = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert app.returncode == 2
    (line,) = app.stderr.splitlines()
    assert "pip install" in line
