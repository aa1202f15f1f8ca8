"""How those end that listen for ever: by SIGTERM as by SIGINT, and both times well."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]


class Ending:
    """While this lasts, SIGTERM is a KeyboardInterrupt, too, unless it is ignored."""

    def __enter__(self) -> None:
        self._before = _signal.getsignal(_signal.SIGTERM)
        if self._before != _signal.SIG_IGN:
            _signal.signal(_signal.SIGTERM, _interrupt)

    def __exit__(self, *_: object) -> None:
        _signal.signal(_signal.SIGTERM, self._before)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
