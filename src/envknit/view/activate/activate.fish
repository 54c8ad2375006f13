# Put the programs of this environment first on PATH: source it from fish.

function deactivate -d "Leave the environment"
    if set -q _ENVKNIT_OLD_PATH
        set -gx PATH $_ENVKNIT_OLD_PATH
        set -e _ENVKNIT_OLD_PATH
    end
    if set -q _ENVKNIT_OLD_PYTHONHOME
        set -gx PYTHONHOME $_ENVKNIT_OLD_PYTHONHOME
        set -e _ENVKNIT_OLD_PYTHONHOME
    end
    if functions -q _envknit_old_prompt
        functions -e fish_prompt
        functions -c _envknit_old_prompt fish_prompt
        functions -e _envknit_old_prompt
    end
    set -e VIRTUAL_ENV
    set -e VIRTUAL_ENV_PROMPT
    if test "$argv[1]" != nondestructive
        functions -e deactivate
    end
end

deactivate nondestructive

# Where this file was sourced from, links unresolved: `.venv` goes on leading to the current environment
set -l file (status filename)
string match -q '/*' -- $file; or set file $PWD/$file
set -gx VIRTUAL_ENV (string replace -r '/bin/[^/]*$' '' -- $file)
set -gx VIRTUAL_ENV_PROMPT '(@NAME@) '

set -gx _ENVKNIT_OLD_PATH $PATH
set -gx PATH $VIRTUAL_ENV/bin $PATH
if set -q PYTHONHOME
    set -gx _ENVKNIT_OLD_PYTHONHOME $PYTHONHOME
    set -e PYTHONHOME
end
if not set -q VIRTUAL_ENV_DISABLE_PROMPT; and functions -q fish_prompt
    functions -c fish_prompt _envknit_old_prompt
    function fish_prompt
        printf '%s' $VIRTUAL_ENV_PROMPT
        _envknit_old_prompt
    end
end
