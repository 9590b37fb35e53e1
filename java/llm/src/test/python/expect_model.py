"""Greedy continuations and logits of a GGUF model by transformers, in binary32 on the CPU.

Takes the first COUNT prompts whose continuation never comes to a near tie between two tokens, which any
rounding may decide either way.

usage: expect_model.py MODEL.gguf OUT.properties
"""

import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    "The history of the lighthouse begins",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
    "Water boils at 100 degrees",
    "import numpy as np\n\ndef mean(values):\n",
    "Dear Sir or Madam,\n\nI am writing to",
    "The three states of matter are",
    "Photosynthesis is the process by which plants",
]
COUNT = 3
NEW_TOKENS = 64
TOP = 10
MIN_MARGIN = 0.01


def escape(text):
    return text.encode("unicode_escape").decode("ascii").replace(":", "\\:").replace("=", "\\=")


def main(model_path, out_path):
    torch.set_grad_enabled(False)
    folder, name = os.path.split(os.path.abspath(model_path))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    model.eval()
    lines = ["# Made by expect_model.py; see src/test/python/README.md."]
    i = 0
    for prompt in PROMPTS:
        ids = tokenizer(prompt)["input_ids"]
        tokens = list(ids)
        cache = None
        step = torch.tensor([ids])
        for _ in range(NEW_TOKENS):
            out = model(step, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            token = int(out.logits[0, -1].argmax())
            tokens.append(token)
            step = torch.tensor([[token]])
        logits = model(torch.tensor([tokens])).logits[0]
        best = torch.topk(logits[len(ids) - 1 : -1], 2).values
        margin = float((best[:, 0] - best[:, 1]).min())
        print(f"prompt {i}: smallest margin {margin:.4f}\n{tokenizer.decode(tokens)}")
        if margin < MIN_MARGIN:
            continue
        lines.append(f"{i}.text={escape(prompt)}")
        lines.append(f"{i}.prompt={','.join(map(str, ids))}")
        lines.append(f"{i}.greedy={','.join(map(str, tokens[len(ids):]))}")
        for position in (0, len(ids) - 1, len(ids) + 15, len(tokens) - 2):
            top = torch.topk(logits[position], TOP)
            pairs = ",".join(f"{int(t)}:{float(v):.5f}" for t, v in zip(top.indices, top.values))
            lines.append(f"{i}.logits.{position}={pairs}")
        i += 1
        if i == COUNT:
            break
    assert i == COUNT, "add prompts"
    with open(out_path, "w", encoding="ascii") as out:
        out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
