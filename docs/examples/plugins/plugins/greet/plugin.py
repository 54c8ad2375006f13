# plugins/greet/plugin.py
import api
import click
from words import GREETING


@api.command
def greet():
    return f"{GREETING} from click {click.__version__}"
