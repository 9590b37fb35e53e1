"""Makes the vocabularies and expected ids that the tokenizer tests compare against.

    pip install tokenizers==0.23.3 sentencepiece==0.2.3 gguf==0.19.0
    python tokenizer_expectations.py ../resources/org/sinkq/llm/text [MODEL.gguf]

Writes, each field separated by a tab and characters outside printable ASCII as \\uXXXX:

    byte-level.txt              type and text of the tokens, and the merges, of a small byte-level vocabulary, trained
                                across word boundaries so that every pre-tokenizer gives other ids
    byte-level-expected.txt     pre-tokenizer, literal or markup, ids, text; from the tokenizers library
    sentencepiece.txt           type, score and text of a small SentencePiece vocabulary
    sentencepiece-expected.txt  literal or markup, ids, text; from the sentencepiece library
    smollm2-expected.txt        literal or markup, ids, text; from the tokenizers library with the vocabulary of
                                SmolLM2 (only with MODEL.gguf)
"""

import pathlib
import random
import re
import sys
import tempfile

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers

GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
LLAMA3 = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def cut(*patterns):
    steps = [pre_tokenizers.Split(Regex(p), behavior="isolated") for p in patterns]
    return pre_tokenizers.Sequence(steps + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


# Name in the GGUF file: how the tokenizers library is told the same, and whether whole words are taken as they are.
PRE_TOKENIZERS = {
    "default": (cut(r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"), False),
    "gpt-2": (pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True), False),
    "smollm": (
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        ),
        False,
    ),
    "llama-bpe": (cut(LLAMA3), True),
    "qwen2": (cut(QWEN2), False),
    "tekken": (cut(TEKKEN), True),
}

CONTROL = ["<|im_start|>", "<|im_end|>", "<|im_end|>\n"]
USER_DEFINED = ["<think>"]

TEXTS = [
    "",
    "Hello world",
    " Hello  world ",
    "The keeper's lamp wasn't lit; they've said it'd burn, we'll see. I'M SURE IT'S 'RE'VE'LL'D 'S",
    "'\u017f it'\u017fs",
    "for (int i = 0; i < n; ++i) {\n\tsum += a[i] * b[i];\n\n    }\r\n\r\n  return sum;  \n",
    "a  b   c    d\t\te \n \n  f\n\n\ng   ",
    "   ",
    "\n\n\n",
    " \n \t\r\n x",
    "1 12 123 1234 12345 1234567890 3.14159e-10 0x1F x1y22z333",
    "\u0663\u0664\u0665 \u00bd \u2163 \u00b2",
    "caf\u00e9 cafe\u0301 \u00e5ngstr\u00f6m A\u030angstro\u0308m \u1e9b\u0323",
    "\u7075\u9748 \u6c34\u706f\u5854\u7684\u6545\u4e8b\uff0c\u4e00\u4e8c\u4e09\u3002\u6771\u4eac\u30bf\u30ef\u30fc \uc548\ub155\ud558\uc138\uc694",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645\u060c \u0643\u064a\u0641\u064e \u062d\u0627\u0644\u064f\u0643",
    "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u0939\u093f\u0928\u094d\u0926\u0940 \u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22",
    "\U0001f680\U0001f468\u200d\U0001f469\u200d\U0001f467 flags \U0001f1e9\U0001f1ea \u2764\ufe0f",
    "\u0001\u0002\u001b[31mred\u001b[0m \u007f \u0085 \u00a0\u2003\u3000\u200b\ufeff",
    "replaced \ufffd\ufffd surrogate",
    "CamelCaseWords HTTPServer iPhone McDonald \u01c5\u02b0\u4e00Ab",
    "path/to/file.txt //comment\n/// doc\n!!! ??? ... --- *** ===\n\n",
    "x" * 300,
    "abcabcabc" * 40,
    "-" * 70 + " " * 70 + "=" * 70,
    "plain <think> inside</think> text",
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    "<|im_end|><|im_end|>\n<|im_end|>\n\n",
    "<|im_start <|im_end|",
    "Mot\u00f6rhead \u2014 \u201cquoted\u201d\u2026 na\u00efve co\u00f6perate \u00a9\u00ae\u2122",
]

CORPUS = [
    "The history of the lighthouse begins with fires on hills. It's said that the keeper's lamp wasn't lit in 1823.",
    "They've built 12 towers, 123 lamps and 1234 lenses; we'll see what they'd do. I'm sure you're right.",
    "for (int i = 0; i < n; i++) {\n    sum += a[i] * b[i];\n}\n\n\treturn sum;\n",
    "HTTPServer and CamelCaseWords, iPhone. Hello world, hello World!  Two  spaces   three\n\n  indent",
    "caf\u00e9 \u00e5ngstr\u00f6m \u706f\u5854\u7684\u6545\u4e8b\u4e00\u4e8c\u4e09 \u0645\u0631\u062d\u0628\u0627 \u043f\u0440\u0438\u0432\u0435\u0442",
    "path/to/file.txt //comment\n/// doc !!! ??? ... --- *** === 3.14159 1234567890 0x1F",
    "abcabcabc xxxxxxxx -------- ======== ' 's 't x1y22z333",
]


def escape(text):
    units = text.encode("utf-16-be")
    chars = (units[i] << 8 | units[i + 1] for i in range(0, len(units), 2))
    return "".join(chr(c) if 0x20 <= c < 0x7F and c != 0x5C else f"\\u{c:04x}" for c in chars)


def random_texts(seed, count):
    """Mixes of the fragments above, so that every boundary between kinds of characters comes up."""
    rng = random.Random(seed)
    parts = [p for t in TEXTS[1:21] for p in re.findall(r"\s+|\w+|[^\w\s]+", t)]
    return ["".join(rng.choice(parts) for _ in range(rng.randint(2, 12))) for _ in range(count)]


def write(path, rows):
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="ascii")


def ids_of(ids):
    return " ".join(map(str, ids))


def expected(tokenizer, texts):
    """Rows of kind, ids, text; a text without special tokens is the same either way and is listed once."""
    for text in texts:
        tokenizer.encode_special_tokens = True
        literal = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        markup = tokenizer.encode(text, add_special_tokens=False).ids
        yield "literal", ids_of(literal), escape(text)
        if markup != literal:
            yield "markup", ids_of(markup), escape(text)


def add_special(tokenizer, control, user_defined):
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in control])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in user_defined])


def byte_level(folder):
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator(CORPUS * 3, trainer)
    with tempfile.TemporaryDirectory() as temp:
        merges_file = [f for f in trained.model.save(temp) if f.endswith("merges.txt")][0]
        lines = pathlib.Path(merges_file).read_text(encoding="utf-8").splitlines()
    merges = [tuple(line.split(" ")) for line in lines if not line.startswith("#version")]
    tokens = CONTROL + USER_DEFINED + alphabet
    tokens += [m for m in dict.fromkeys(a + b for a, b in merges) if m not in alphabet]
    # Words that no merge leads to: only a tokenizer that takes whole words finds them.
    tokens += ["Hello", "\u0120xyzzy"]
    vocabulary = {t: i for i, t in enumerate(tokens)}
    kinds = ["3"] * len(CONTROL) + ["4"] * len(USER_DEFINED)
    kinds += ["1"] * (len(tokens) - len(kinds))
    rows = [(kind, escape(t)) for kind, t in zip(kinds, tokens)]
    write(folder / "byte-level.txt", rows + [("merge", escape(a), escape(b)) for a, b in merges])
    rows = []
    texts = TEXTS + random_texts(1, 40) + ["Hello xyzzy Hello"]
    for name, (pre_tokenizer, whole_words) in PRE_TOKENIZERS.items():
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=whole_words))
        tokenizer.pre_tokenizer = pre_tokenizer
        add_special(tokenizer, CONTROL, USER_DEFINED)
        rows += [(name, *row) for row in expected(tokenizer, texts)]
    write(folder / "byte-level-expected.txt", rows)


def sentencepiece_bpe(folder):
    control = ["[INST]", "[/INST]"]
    with tempfile.TemporaryDirectory() as temp:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([line for t in CORPUS for line in t.split("\n") if line] * 3),
            model_prefix=f"{temp}/m",
            model_type="bpe",
            vocab_size=600,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            split_digits=True,
            control_symbols=control,
            user_defined_symbols=USER_DEFINED,
            minloglevel=2,
        )
        model = sentencepiece.SentencePieceProcessor(model_file=f"{temp}/m.model")
    rows = []
    for i in range(model.vocab_size()):
        kind = 1
        kind = 2 if model.is_unknown(i) else kind
        kind = 3 if model.is_control(i) else kind
        kind = 4 if model.id_to_piece(i) in USER_DEFINED else kind
        kind = 6 if model.is_byte(i) else kind
        rows.append((str(kind), repr(model.get_score(i)), escape(model.id_to_piece(i))))
    write(folder / "sentencepiece.txt", rows)
    rows = [("literal", ids_of(model.encode(t)), escape(t)) for t in TEXTS + random_texts(2, 80)]
    for text in ["[INST] Hello world [/INST]The keeper [INST] x[/INST]", "The [INST][/INST] end"]:
        rows.append(("literal", ids_of(model.encode(text)), escape(text)))
        ids = []
        for part in filter(None, re.split(r"(\[/?INST\])", text)):
            ids += [model.piece_to_id(part)] if part in control else model.encode(part)
        rows.append(("markup", ids_of(ids), escape(text)))
    write(folder / "sentencepiece-expected.txt", rows)


def smollm2(folder, gguf_path):
    import gguf

    fields = gguf.GGUFReader(gguf_path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    assert fields["tokenizer.ggml.pre"].contents() == "smollm"
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS["smollm"][0]
    add_special(tokenizer, [t for t, kind in zip(tokens, types) if kind == 3], [])
    write(folder / "smollm2-expected.txt", list(expected(tokenizer, TEXTS + random_texts(3, 60))))


def main():
    folder = pathlib.Path(sys.argv[1])
    byte_level(folder)
    sentencepiece_bpe(folder)
    if len(sys.argv) > 2:
        smollm2(folder, sys.argv[2])


main()
