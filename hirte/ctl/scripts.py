"""What makes a shell complete the words of hirte: a script for each, to be read by it once.

They know nothing of hirte but its names: for every TAB they ask the program on the command line
itself, so they never grow old, and what they call is `hirte/complete/`.
"""

from __future__ import annotations

from hirte.ctl.exits import DONE, USAGE, Failure
from hirte.main import COMPLETE, COMPLETE_LINE, MODES, NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.ctl.request import Request

# Not those of BlueChi: its own programs of these names would not understand our question.
PROGRAMS = (
    "hirte",
    *(f"hirte-{mode}" for mode in MODES),
    *(name for name in NAMES if not name.startswith("bluechi-")),
)

# In all three a word that ends in = or / goes on, so no blank follows it. A path may begin with ~,
# which nobody has expanded yet.
_BASH = """\
# Completion for bash, as `hirte ctl completion bash` prints it.
_hirte() {
    local program=${1/#~\\//$HOME/}
    mapfile -t COMPREPLY < <(
        "$program" COMPLETE_LINE "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null
    )
    [[ ${COMPREPLY-} != *[=/] ]] || compopt -o nospace
}
complete -F _hirte PROGRAMS
"""
_ZSH = """\
#compdef PROGRAMS
# Completion for zsh, as `hirte ctl completion zsh` prints it.
_hirte() {
    local tab=$'\\t' program=${(Q)words[1]} home line word what
    local -a lines ends goes_on
    program=${program/#\\~\\//$HOME/}
    lines=("${(@f)$("$program" COMPLETE "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    # Else it would be quoted.
    ! compset -P '\\~/' || home='~/'
    for line in "${(@)lines}"; do
        word=${${line%%$tab*}#$home}
        [[ -n $word ]] || continue
        [[ $line == *$tab* ]] && what=:${line#*$tab} || what=
        # _describe splits at a colon.
        line=${${word//\\\\/\\\\\\\\}//:/\\\\:}$what
        if [[ $word == *[=/] ]]; then goes_on+=("$line"); else ends+=("$line"); fi
    done
    _describe -t words word ends
    _describe -t words word goes_on -S ''
}
# Either found on fpath, and then this is the function, or read as it is.
if [[ $funcstack[1] == _hirte ]]; then _hirte "$@"; else compdef _hirte PROGRAMS; fi
"""
_FISH = """\
# Completion for fish, as `hirte ctl completion fish` prints it.
function __hirte_complete
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l typed (commandline -ct)
    # A quote may be open still.
    set -l begun (string unescape -- "$typed"
        or string unescape -- "$typed'"
        or string unescape -- "$typed\\"")
    $program COMPLETE $words[2..-1] "$begun" 2>/dev/null
end
"""
_FISH_PROGRAM = "complete -c PROGRAM -f -a '(__hirte_complete)'\n"


def _script(text: str) -> str:
    # The longer word first.
    text = text.replace("COMPLETE_LINE", COMPLETE_LINE).replace("COMPLETE", COMPLETE)
    return text.replace("PROGRAMS", " ".join(PROGRAMS))


# Shell -> the script, and the file's name where the shell looks for it.
SCRIPTS = {
    "bash": (_script(_BASH), "hirte.bash"),
    "zsh": (_script(_ZSH), "_hirte"),
    "fish": (
        _script(_FISH) + "".join(_FISH_PROGRAM.replace("PROGRAM", name) for name in PROGRAMS),
        "hirte.fish",
    ),
}


def completion(request: Request) -> int:
    """Print the script of a shell."""
    (shell,) = request.words
    if shell not in SCRIPTS:
        raise Failure(f"there is completion for {', '.join(SCRIPTS)}, not for '{shell}'", USAGE)
    print(SCRIPTS[shell][0], end="")
    return DONE
