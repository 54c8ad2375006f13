# plugins/shout/words.py
GREETING = "HELLO"
