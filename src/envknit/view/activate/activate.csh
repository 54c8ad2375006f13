# Put the programs of this environment first on PATH: source it from csh or tcsh, which do not say where a file lies.

alias deactivate 'test $?_ENVKNIT_OLD_PATH != 0 && setenv PATH "$_ENVKNIT_OLD_PATH" && unset _ENVKNIT_OLD_PATH; rehash; test $?_ENVKNIT_OLD_PROMPT != 0 && set prompt="$_ENVKNIT_OLD_PROMPT" && unset _ENVKNIT_OLD_PROMPT; unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; test "\!:*" != "nondestructive" && unalias deactivate'

deactivate nondestructive

setenv VIRTUAL_ENV @VIEW@
setenv VIRTUAL_ENV_PROMPT '(@NAME@) '

set _ENVKNIT_OLD_PATH="$PATH"
setenv PATH "${VIRTUAL_ENV}/bin:${PATH}"
if (! $?VIRTUAL_ENV_DISABLE_PROMPT && $?prompt) then
    set _ENVKNIT_OLD_PROMPT="$prompt"
    set prompt = "$VIRTUAL_ENV_PROMPT$prompt"
endif
rehash
