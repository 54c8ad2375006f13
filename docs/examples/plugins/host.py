# host.py
from pathlib import Path

import api
import envknit

FOLDER = Path(__file__).parent / "plugins"
worlds = {}


def load(name):
    try:
        world = envknit.world(lock=FOLDER / name)
        world.import_module("plugin")
    except (envknit.EnvknitError, ImportError, OSError) as error:
        print(f"{name} is left out: {str(error).splitlines()[0]}")
    else:
        worlds[name] = world


def unload(name):
    world = worlds.pop(name)
    for command, function in list(api.COMMANDS.items()):
        if function.__module__.endswith(f"@{world.name}"):
            del api.COMMANDS[command]
    world.close()


def run():
    for name, command in sorted(api.COMMANDS.items()):
        print(f"{name}: {command()}")


if __name__ == "__main__":
    for folder in sorted(FOLDER.iterdir()):
        load(folder.name)
    run()

    unload("greet")  # the others go on
    run()
    load("greet")  # under what its folder and its lock say now
    run()
