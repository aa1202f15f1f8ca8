"""Shells in a terminal of a node, driven by keys, as somebody who sits there would."""

from __future__ import annotations

import os
import select
import subprocess
import time

from tests.bed import Node

# For the slowest key: a prompt of a shell that starts. Nothing waits for it to be over.
KEY_SECONDS = 60.0

# The shell's terminal is made on the node, and we are at its other end.
_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"

TAB = "\t"
# Bound by the scripts below: the line as it is now, printed and cleared.
_PRINT = "\x18\x10"
# All that would be listed, inserted at once.
INSERT_ALL = "\x18\x01"
_BEGIN, _END = "@B@", "@E@"
_PROMPT = "@READY@"

_BASH = f"""
stty columns 1000
PS1='{_PROMPT}'
source <(hirte ctl completion bash)
print_line() {{ printf '{_BEGIN}%s{_END}\\n' "$READLINE_LINE"; READLINE_LINE= READLINE_POINT=0; }}
bind -x '"\\C-x\\C-p": print_line'
bind '"\\C-x\\C-a": insert-completions'
bind 'set enable-bracketed-paste off'
"""
_ZSH = f"""
stty columns 1000
PS1='{_PROMPT}'
unset zle_bracketed_paste
unsetopt prompt_sp
autoload -Uz compinit && compinit -u -D
print_line() {{ print -r -- "{_BEGIN}$BUFFER{_END}"; BUFFER=; }}
zle -N print_line
bindkey '^X^P' print_line
insert_all() {{ _main_complete; compstate[insert]=all; }}
zle -C insert_all complete-word insert_all
bindkey '^X^A' insert_all
"""
_FISH = f"""
stty columns 1000
function fish_prompt; echo -n {_PROMPT}; end
function fish_greeting; end
function print_line; echo; echo {_BEGIN}(commandline){_END}; commandline ''; end
bind \\cx\\cp print_line
"""
# Where each script of ours and of the product goes, and how the shell is started.
RC = {"bash": "/root/rc.bash", "zsh": "/root/.zshrc", "fish": "/root/.config/fish/config.fish"}
_RC_TEXTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
PLACES = {
    "zsh": "/usr/local/share/zsh/site-functions/_hirte",
    "fish": "/etc/fish/conf.d/hirte.fish",
}
_START = {
    "bash": ["bash", "--noprofile", "--rcfile", RC["bash"], "-i"],
    "zsh": ["zsh", "-i"],
    "fish": ["fish", "-i"],
}


def set_up(node: Node) -> None:
    """Give a node the completion of all shells, as docs/ctl.md says."""
    node.write_all({RC[shell]: text for shell, text in _RC_TEXTS.items()})
    for shell, place in PLACES.items():
        node.write(place, node.run(["hirte", "ctl", "completion", shell]).stdout)


class Shell:
    """An interactive shell on a node. A context manager."""

    def __init__(self, node: Node, name: str) -> None:
        environment = ["env", "HOME=/root", "TERM=dumb", "LC_ALL=C.UTF-8"]
        argv = [*environment, "/usr/bin/python3", "-ISc", _TERMINAL, *_START[name]]
        self._process = node.popen(argv, stdin=subprocess.PIPE)
        self._said = ""
        self.wait_for(_PROMPT)

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *reason: object) -> None:
        self._process.kill()
        self._process.communicate()

    def press(self, keys: str) -> None:
        """Type keys."""
        assert self._process.stdin is not None
        self._process.stdin.write(keys)
        self._process.stdin.flush()

    def wait_for(self, mark: str) -> str:
        """Return what the terminal shows up to `mark`, from now on."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + KEY_SECONDS
        descriptor = self._process.stdout.fileno()
        while mark not in self._said:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise TimeoutError(f"no {mark!r} in {self._said!r}")
            data = os.read(descriptor, 65536)
            if not data:
                raise TimeoutError(f"the shell ended: {self._said!r}")
            self._said += data.decode(errors="replace")
        before, _, self._said = self._said.partition(mark)
        return before

    def line(self, keys: str) -> str:
        """Type keys into an empty line; return what the line is then."""
        self.press(keys + _PRINT)
        self.wait_for(_BEGIN)
        return self.wait_for(_END)

    def run(self, keys: str) -> str:
        """Type keys, run the line, return what it prints, without blanks at its ends."""
        self.press(f"printf '@%s@' OUT; {keys}; printf '@%s@' DONE\n")
        self.wait_for("@OUT@")
        return self.wait_for("@DONE@").strip()
