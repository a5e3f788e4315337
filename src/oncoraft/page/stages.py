"""What is served is made by commands, one after another: a model answers as soon as it is there, and what judges it is taken up at the end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from oncoraft.foundation.errors import InputError
from oncoraft.page.folder import unfit

if TYPE_CHECKING:
    from oncoraft.page.served import Page

log = logging.getLogger("oncoraft")
UNKNOWN = "no recalibrated probability, and not known where a score stands"
FOLLOWS = "What judges this model is still being made{progress}: until then {unknown}. Score the case again when it is there."
FAILED = "What judges this model is not there: {unknown}. {reason}."


def begin(page: Page) -> None:
    """Make what is to be made first, start the models, and read what the first answer will need while they load."""
    for model in page.models.values():
        if page.making:
            model.worker.state = "making"
        else:
            model.worker.start()
    for making in page.making:
        is_last = making is page.making[-1]
        try:
            if not making.run(lambda progress: _tell(page, progress)):
                return
            page.found(page, is_last)
        except InputError as error:
            _give_up(page, str(error))
            return
        _serve(page, is_last)
        if not is_last:
            _warm(page)
    _warm(page)


def _tell(page: Page, progress: str) -> None:
    """How far it is, beside each model."""
    for model in page.models.values():
        if model.worker.state == "making":
            model.worker.reason = progress
        else:
            model.follows = FOLLOWS.format(progress=f" ({progress})", unknown=UNKNOWN)


def _give_up(page: Page, reason: str) -> None:
    """What could not be made; a model that is there goes on."""
    for model in page.models.values():
        if model.worker.state == "making":
            model.worker.refuse(reason)
        else:
            model.follows = FAILED.format(unknown=UNKNOWN, reason=reason)


def _serve(page: Page, is_last: bool) -> None:
    """Start the models that are there, and read anew those that another command has written again, such as with their recalibration."""
    for model in page.models.values():
        worker = model.worker
        if not is_last:
            model.follows = FOLLOWS.format(progress="", unknown=UNKNOWN)
        if worker.state != "making":
            worker.reopen()
        elif is_last or unfit(worker.folder) is None:
            worker.reason = ""
            worker.start()
        if is_last:  # whoever asks from now on is answered by what was made last
            model.follows = None


def _warm(page: Page) -> None:
    """Read what the first answer will need, while the models load."""
    for model in page.models.values():
        try:
            if page.study is not None and page.study.has_patients:
                _ = page.study.cases
                _ = page.study.usual_fields
            if model.standing is not None:
                _ = model.standing.heldout
                model.standing.interval(0.5)
        except (InputError, OSError) as error:
            log.warning("page: %s", error)
