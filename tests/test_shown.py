"""What a terminal, a spreadsheet and a reader are shown of hostile texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.shown import FORMULA, LONGEST, harmless, in_line, redacted, shortened, shown, visible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resnet20/fractal{count=10}", "resnet20/fractal{count=10}"),
        ("größer 犬 🐕\u3000x", "größer 犬 🐕\u3000x"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("abc\u202etxt.exe", r"abc\u202etxt.exe"),
        ("a\rb\x00", r"a\rb\x00"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("two\n\tlines", "two\n\tlines"),
        ("a\u2028b\ud800", r"a\u2028b\ud800"),
    ],
)
def test_what_a_terminal_would_take_for_a_command_is_visible(text, expected):
    assert visible(text) == expected


@given(st.text())
def test_a_visible_text_stays_as_it_is(text):
    assert visible(visible(text)) == visible(text)
    assert "\x1b" not in visible(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:hush@example.com/a.pt", "https://***@example.com/a.pt"),
        ("s3://KEY:hush/1+x@bucket/results", "s3://***@bucket/results"),
        ("s3://KEY:hush@bucket/results, twice s3://KEY:hush@b", "s3://***@bucket/results, twice s3://***@b"),
        ("https://example.com/a.pt?token=hush&size=3", "https://example.com/a.pt?token=***&size=3"),
        ("https://x.blob/a?sv=1&sig=hush%3D&se=2", "https://x.blob/a?sv=1&sig=***&se=2"),
        ("https://s3/a?X-Amz-Credential=hush&X-Amz-Signature=hush", "https://s3/a?X-Amz-Credential=***&X-Amz-Signature=***"),
        ("https://s3/a?AWSAccessKeyId=hush&Expires=9", "https://s3/a?AWSAccessKeyId=***&Expires=9"),
        ("401: Authorization: Bearer hush", "401: Authorization: Bearer ***"),
        ("secret=hush, password: hush, api_key=hush", "secret=***, password: ***, api_key=***"),
        ('{"url": "https://a:hush@b/c"}', '{"url": "https://***@b/c"}'),
        ("models/resnet20.pt: the key of a folder", "models/resnet20.pt: the key of a folder"),
        ("mail@example.com", "mail@example.com"),
        ("abfs://container@account.dfs.core.windows.net/x", "abfs://container@account.dfs.core.windows.net/x"),
        ("ssh://git@github.com/x, ssh://me:hush@host/x", "ssh://git@github.com/x, ssh://***@host/x"),
        ("s3://bucket/2026-01-01T12:00/a@b.pt", "s3://bucket/2026-01-01T12:00/a@b.pt"),
        ("/home/me/s3:/KEY:hush@bucket/x", "/home/me/s3:/***@bucket/x"),
        ("tokenizer=bpe, max_tokens: 5", "tokenizer=bpe, max_tokens: 5"),
        ("https://me:hu/sh@host, http://host:80/a@b", "https://***@host, http://host:80/a@b"),
        ("https://h/a?auth_key=hush&pwd=hush&pass=hush&jwt=hush", "https://h/a?auth_key=***&pwd=***&pass=***&jwt=***"),
        ("https://h/a?token=hush,hush&private_key=h;x=1", "https://h/a?token=***&private_key=***;x=1"),
        ("https://h/a?token[]=hush", "https://h/a?token[]=***"),
        ("https://me:h\u00fcsh@host", "https://***@host"),
        ("https://example.com/@user/a?size=3", "https://example.com/@user/a?size=3"),
        ('{"token": "hush", "size": 3}', '{"token": "***", "size": 3}'),
        ("token='hush'", "token='***'"),
        ("farm run --hf-token hush --failed", "farm run --hf-token *** --failed"),
        ("https://me:hu@sh@host/a", "https://***@host/a"),
        ("my_token:build", "my_token:build"),
        ('{"factory": "my_secret:token"}', '{"factory": "my_secret:token"}'),
        ("token-free words, a token of love", "token-free words, a token of love"),
    ],
)  # fmt: skip
def test_secrets_of_addresses_are_left_out(text, expected):
    assert redacted(text) == expected
    assert redacted(expected) == expected


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "part", ["a.", "x-", "s3://x:", "https://", "token", "?key=", "--", "a", "token=", "@", "://a@"]
)
def test_no_text_takes_long(part):
    text = part * (500_000 // len(part))
    assert len(redacted(text)) <= len(text) * 2
    assert len(shown(text)) <= LONGEST


@pytest.mark.parametrize("length", [10, LONGEST, LONGEST + 1, 10 * LONGEST])
def test_a_long_text_keeps_its_beginning_and_end(length):
    text = "".join(chr(97 + index % 26) for index in range(length))
    short = shortened(text)
    assert len(short) <= LONGEST
    assert short == text or (text.startswith(short[:100]) and text.endswith(short[-100:]) and " letters ... " in short)


def test_shown_is_all_of_it():
    assert shown("s3://me:hush@b \x1b[0m " + "x" * LONGEST).startswith(r"s3://***@b \x1b[0m xx")


@pytest.mark.parametrize("first", FORMULA)
def test_a_formula_is_text_to_a_spreadsheet(first):
    assert harmless(f"{first}cmd|' /C calc'!A0").startswith("'")


@pytest.mark.parametrize("text", ["-", "resnet20", "", "a=b"])
def test_what_is_no_formula_stays_as_it_is(text):
    assert harmless(text) == text


def test_a_name_in_a_sentence_is_in_one_line():
    assert in_line("a\nwill fail: b\t\x1b") == r"a\nwill fail: b\t\x1b"
