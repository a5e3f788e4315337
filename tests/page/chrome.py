"""A headless Chromium that is driven step by step over a pipe: real keys and clicks, pictures, paper, and every request that it makes."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.report.browser import CHROMIUM, FLAGS

SECONDS = 90.0
# Nothing but this machine can be reached.
ONLY_HERE = [flag for flag in FLAGS if "host-resolver" not in flag] + ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " "), "ArrowDown": (40, ""), "ArrowRight": (39, "")}


class Chrome:
    """One browser with one page. The protocol is Chromium's own; its pipe needs no further package."""

    def __init__(self, home: Path) -> None:
        read_it, self.to = os.pipe()
        self.of, write_it = os.pipe()
        # The browser listens on descriptor 3 and speaks on 4.
        command = ["bash", "-c", f'exec "$@" 3<&{read_it} 4>&{write_it}', "chrome", str(CHROMIUM), *ONLY_HERE]
        command += ["--remote-debugging-pipe", f"--user-data-dir={home / 'profile'}", "--window-size=1280,1000", "about:blank"]
        self.process = subprocess.Popen(command, pass_fds=(read_it, write_it), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_it)
        os.close(write_it)
        self.numbers, self.rest, self.session = itertools.count(1), b"", None
        self.requests: list[str] = []
        self.said: list[str] = []
        target = next(one for one in self("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self(f"{domain}.enable")

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.of)

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its result."""
        number = next(self.numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == number:
                assert "error" not in found, found
                return found["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            read = os.read(self.of, 1 << 16)
            assert read, "the browser has ended"
            self.rest += read
        text, _, self.rest = self.rest.partition(b"\0")
        found = json.loads(text)
        if found.get("method") == "Network.requestWillBeSent":
            self.requests.append(found["params"]["request"]["url"])
        if found.get("method") == "Log.entryAdded":
            self.said.append(found["params"]["entry"]["text"])
        if found.get("method") == "Runtime.exceptionThrown":
            self.said.append(
                found["params"]["exceptionDetails"]["text"]
                + str(found["params"]["exceptionDetails"].get("exception", {}).get("description"))
            )
        return found

    def ask(self, script: str) -> Any:
        """The value of an expression on the page; a promise is waited for."""
        found = self("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = SECONDS) -> Any:
        """Until an expression is true."""
        end = time.monotonic() + seconds
        # Truth alone: an element cannot be handed out by its value.
        while not (found := self.ask(f"Boolean({script})")):
            assert time.monotonic() < end, (
                f"{script} was never true; the page says {self.ask('document.body.innerText')[-1500:]!r} {self.said}"
            )
            time.sleep(0.05)
        return found

    def open(self, address: str) -> None:
        """A page, loaded."""
        self("Page.navigate", url=address)
        self.wait(f"document.readyState==='complete' && location.href.startsWith({json.dumps(address)})")

    def click(self, selector: str) -> None:
        """A click with the mouse in the middle of an element."""
        place = self.ask(
            f"(()=>{{const box=document.querySelector({json.dumps(selector)});box.scrollIntoView({{block:'center',behavior:'instant'}});"
            "const r=box.getBoundingClientRect();return [r.x+r.width/2,r.y+r.height/2]})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Text at the cursor."""
        self("Input.insertText", text=text)

    def key(self, name: str) -> None:
        """One key."""
        code, text = KEYS[name]
        self("Input.dispatchKeyEvent", type="keyDown", key=name, windowsVirtualKeyCode=code, text=text)
        self("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)

    def until_focus(self, test: str, most: int = 400) -> None:
        """Tab by tab to the element (`it`) of which an expression is true."""
        for _ in range(most):
            self.key("Tab")
            if self.ask(f"(()=>{{const it=document.activeElement;return Boolean({test})}})()"):
                return
        raise AssertionError(f"no tab leads to {test}")

    def width(self, pixels: int) -> None:
        """How wide the window is."""
        self("Emulation.setDeviceMetricsOverride", width=pixels, height=1000, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path) -> Path:
        """The whole page as a picture."""
        found = self("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))
        return path

    def paper(self) -> bytes:
        """The page as a PDF."""
        return base64.b64decode(self("Page.printToPDF")["data"])


Driver = Callable[[], Chrome]
