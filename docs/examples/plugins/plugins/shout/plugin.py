# plugins/shout/plugin.py
import api


@api.command
def shout():
    import click  # late, and still the one of this plugin's lock
    from words import GREETING

    return f"{GREETING} from click {click.__version__}"
