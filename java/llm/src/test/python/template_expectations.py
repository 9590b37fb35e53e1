"""Makes the expected prompts that the chat template tests compare against.

    pip install jinja2==3.1.6 gguf==0.19.0
    python template_expectations.py ../resources/org/sinkq/llm/text [MODEL.gguf]

Renders templates/*.jinja over the conversations below as the transformers library does, and writes to
template-expected.txt, separated by tabs and escaped as in tokenizer_expectations.py: template, whether a generation
prompt is added, "prompt" or "error", its text, then role and content of every message. With MODEL.gguf, which should be
SmolLM2, does the same for that file's template and writes smollm2-template-expected.txt.
"""

import pathlib
import sys
from datetime import datetime, timezone

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime(2024, 2, 29, 12, 0, tzinfo=timezone.utc)

CONVERSATIONS = [
    [("user", "Hello")],
    [("system", "Be kind."), ("user", "  Hi \n there ")],
    [("user", "One"), ("assistant", " two \n"), ("user", "three")],
    [
        ("system", " S "),
        ("user", "a"),
        ("assistant", "<think>\nwhy\n</think>\n\nbecause"),
        ("user", "b"),
        ("assistant", "<think>x</think>c"),
    ],
    [("user", "<reply>r</reply>"), ("assistant", "no thoughts")],
    [("user", "{{ 1 + 1 }} {% if %} {# c #} <|im_end|> & < > \" ' \\n"), ("assistant", ""), ("user", "\U0001f680\u706f")],
    [("user", "twice"), ("user", "twice")],
    [("user", "a"), ("tool", "b")],
]


def escape(text):
    units = text.encode("utf-16-be")
    chars = (units[i] << 8 | units[i + 1] for i in range(0, len(units), 2))
    return "".join(chr(c) if 0x20 <= c < 0x7F and c != 0x5C else f"\\u{c:04x}" for c in chars)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def render(environment, name, source):
    template = environment.from_string(source)
    for conversation in CONVERSATIONS:
        for add in (True, False):
            messages = [{"role": r, "content": c} for r, c in conversation]
            try:
                text = template.render(messages=messages, add_generation_prompt=add, bos_token="<s>", eos_token="</s>")
                kind = "prompt"
            except jinja2.exceptions.TemplateError as e:
                text, kind = str(e), "error"
            flat = [field for message in conversation for field in message]
            yield [name, str(add).lower(), kind, escape(text), *map(escape, flat)]


def write(path, rows):
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="ascii")


def main():
    folder = pathlib.Path(sys.argv[1])
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = NOW.strftime
    rows = []
    for path in sorted((folder / "templates").glob("*.jinja")):
        rows += render(environment, path.stem, path.read_text(encoding="utf-8"))
    write(folder / "template-expected.txt", rows)
    if len(sys.argv) > 2:
        import gguf

        source = gguf.GGUFReader(sys.argv[2]).fields["tokenizer.chat_template"].contents()
        write(folder / "smollm2-template-expected.txt", render(environment, "smollm2", source))


main()
