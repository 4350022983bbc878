"""A tiny BERT, trained by the tests in seconds: what is tested is the loading, not the learning."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from sentiment.training import read_headlines

ORDER = ["positive", "negative", "neutral"]  # on purpose not ours: FinBERT's order


def lesson() -> tuple[list[str], list[int]]:
    """A few headlines, to be learned by heart."""
    texts, labels = read_headlines()
    return texts[::12], [int(label) for label in labels[::12]]


def train(path: Path) -> Path:
    """Save a tiny BERT to a folder, as any other model is saved; skip where torch is absent."""
    torch = pytest.importorskip("torch", reason="torch is not installed; it is no dependency")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    texts, labels = lesson()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        words = sorted({word for text in texts for word in text.lower().split()})
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        known = {word: index for index, word in enumerate([*special, *words])}
        raw = tokenizers.Tokenizer(tokenizers.models.WordLevel(known, unk_token="[UNK]"))
        raw.normalizer = tokenizers.normalizers.Lowercase()
        raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
        raw.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
            sep_token="[SEP]", model_max_length=64,
        )  # fmt: skip
        config = transformers.BertConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=64, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, num_labels=3, initializer_range=0.1,
            id2label=dict(enumerate(ORDER)),
            label2id={name: index for index, name in enumerate(ORDER)},
        )  # fmt: skip
        torch.manual_seed(3)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        model = transformers.BertForSequenceClassification(config)
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        target = torch.tensor([{0: 1, 1: 2, 2: 0}[int(label)] for label in labels])
        data = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        model.train()
        for step in range(120):
            rows = torch.arange(step % 4, len(texts), 4)
            loss = model(
                input_ids=data["input_ids"][rows],
                attention_mask=data["attention_mask"][rows],
                labels=target[rows],
            ).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.save_pretrained(path, safe_serialization=True)
        tokenizer.save_pretrained(path)
        torch.set_num_threads(threads)
    return path
