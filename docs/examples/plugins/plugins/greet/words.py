# plugins/greet/words.py
GREETING = "hello"
