# See .zshenv beside this file.
ZDOTDIR=$_ENVKNIT_ZDOTDIR
[ -f "$ZDOTDIR/.zshrc" ] && . "$ZDOTDIR/.zshrc"
. "$_ENVKNIT_ACTIVATE"
unset _ENVKNIT_ACTIVATE _ENVKNIT_ZDOTDIR _envknit_zdotdir
