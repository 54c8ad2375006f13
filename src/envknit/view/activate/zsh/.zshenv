# Read by the zsh that `envknit shell` starts: the person's own start-up files, and behind them the environment.
_envknit_zdotdir=$ZDOTDIR
ZDOTDIR=${_ENVKNIT_ZDOTDIR:-$HOME}
[ -f "$ZDOTDIR/.zshenv" ] && . "$ZDOTDIR/.zshenv"
_ENVKNIT_ZDOTDIR=$ZDOTDIR
ZDOTDIR=$_envknit_zdotdir
