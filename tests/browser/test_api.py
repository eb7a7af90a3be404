"""The named endpoint /translate: over plain HTTP as any program would call it (post, then read the event's stream), and
with Gradio's own client."""

import http.client
import json
import urllib.error
import urllib.request

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from .running import Visit


def post(url: str, body: dict) -> dict:
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def call(url: str, text: object) -> tuple[str, object]:
    """The name and the data of the last event: ("complete", [malay]) or ("error", ...)."""
    event = post(f"{url}/gradio_api/call/translate", {"data": [text]})["event_id"]
    with urllib.request.urlopen(f"{url}/gradio_api/call/translate/{event}", timeout=60) as response:
        lines = response.read().decode().strip().splitlines()
    return lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: "))


def test_api_and_page_give_the_same_malay(url: str, desk: Visit) -> None:
    text = "The meeting is on Friday.\n\nPlease come early."
    assert call(url, text) == ("complete", [desk.translate(text)])


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(url, verbose=False, download_files=False, analytics_enabled=False)


def test_client_is_told_the_signature(client: Client) -> None:
    ((name, endpoint),) = client.view_api(return_format="dict", print_info=False)["named_endpoints"].items()
    assert name == "/translate"
    (argument,) = endpoint["parameters"]
    assert (argument["parameter_name"], argument["python_type"]["type"]) == ("text", "str")
    assert not argument["parameter_has_default"]
    (result,) = endpoint["returns"]
    assert result["python_type"]["type"] == "str"


def test_client_and_plain_http_give_the_same_malay(url: str, client: Client) -> None:
    text = "The meeting is on Friday.\n\nPlease come early."
    assert call(url, text) == ("complete", [client.predict(text=text, api_name="/translate")])


def test_client_is_told_why_a_text_is_refused(client: Client) -> None:
    with pytest.raises(AppError, match="5,001 characters"):
        client.predict(text="a" * 5001, api_name="/translate")


@pytest.mark.parametrize("text", ["", "a" * 5001, None, 7, ["a"]])
def test_api_refuses_what_the_page_refuses(url: str, text: object) -> None:
    name, _ = call(url, text)
    assert name == "error"


def test_api_offers_translate_and_nothing_else(url: str) -> None:
    with urllib.request.urlopen(f"{url}/gradio_api/info", timeout=60) as response:
        info = json.load(response)
    assert list(info["named_endpoints"]) == ["/translate"]
    assert info["named_endpoints"]["/translate"]["description"]
    assert info["unnamed_endpoints"] == {}


def test_server_refuses_a_huge_request_before_it_is_sent(url: str) -> None:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", "/gradio_api/call/translate")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "20000000")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_server_keeps_no_files(url: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhello\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    request = urllib.request.Request(f"{url}/gradio_api/upload", body, headers)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=60)
    assert refusal.value.code == 413
