"""Runs a reader of result files through the golden suite.

    python3 -m unittest discover -s testdata/examples/python
"""

import json
import pathlib
import unittest

import adapter_result

SUITE = pathlib.Path(__file__).parents[2]


def load(path):
    return json.loads((SUITE / path).read_text(encoding="utf-8"))


class Golden(unittest.TestCase):
    def test_contract(self):
        cases = [c for c in load("index.json")["cases"] if c["group"] == "contract"]
        self.assertGreater(len(cases), 100, "where is the suite?")
        for case in cases:
            with self.subTest(case["name"], rule=case["rule"]):
                want = load(case["files"]["condition"])
                got = condition((SUITE / case["files"]["input"]).read_bytes())
                if "not valid JSON" in want["message"]:
                    # What follows is the JSON library's text, not the contract's.
                    prefix = "Failed to parse adapter result: not valid JSON: "
                    self.assertTrue(got["message"].startswith(prefix), got["message"])
                    got["message"] = want["message"]
                self.assertEqual(got, want)


def condition(data):
    try:
        result = adapter_result.read(data)
    except adapter_result.Invalid as e:
        result = adapter_result.Result("False", "InvalidResultFormat", f"Failed to parse adapter result: {e}")
    return {"type": "Available"} | result._asdict()


if __name__ == "__main__":
    unittest.main()
