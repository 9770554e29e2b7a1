"""Puts inputs to a policy in rego-cpp: a question on stdin, a list of answers on stdout."""

import json
import sys

from regopy import Interpreter

question = json.load(sys.stdin)
answers = []
for each in question["inputs"]:
    rego = Interpreter()
    rego.add_module("policy", question["policy"])
    rego.add_data(question["data"])
    rego.set_input(each)
    output = json.loads(str(rego.query("answer := " + question["query"])))
    answers.append(output["bindings"]["answer"])
json.dump(answers, sys.stdout)
