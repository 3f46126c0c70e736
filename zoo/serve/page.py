"""The page to try the server by hand: choose a picture, see the answer drawn on it and as JSON.

Nothing of a request is written into it, and what an answer holds is set as text, never as HTML. The policy allows this one script and
this one style by their digests, and no other address.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from zoo.serve.subject import Subject

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #1d1f23; }
img { max-width: 100%; } pre { white-space: pre-wrap; background: #f4f2ee; padding: 1rem; } .wrong { color: #c44e00; }
label { display: block; margin: .5rem 0; }
"""
SCRIPT = """
const form = document.querySelector("form"), said = document.querySelector("#said"), shown = document.querySelector("#shown");
async function ask(annotated) {
  const choices = new URLSearchParams();
  for (const field of form.querySelectorAll("input[type=number]")) choices.set(field.name, field.value);
  if (annotated) choices.set("annotated", "1");
  const body = new FormData();
  body.append("image", form.elements.image.files[0]);
  return fetch("/predict?" + choices, { method: "POST", body });
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.className = ""; said.textContent = "..."; shown.hidden = true;
  try {
    const answer = await ask(false), facts = await answer.json();
    said.textContent = answer.ok ? JSON.stringify(facts, null, 1) : facts.error;
    said.className = answer.ok ? "" : "wrong";
    if (!answer.ok) return;
    const picture = await ask(true);
    if (!picture.ok) return;
    if (shown.src) URL.revokeObjectURL(shown.src);
    shown.src = URL.createObjectURL(await picture.blob());
    shown.hidden = false;
  } catch (error) { said.className = "wrong"; said.textContent = "The server did not answer: " + error.message; }
});
"""


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; script-src {_digest(SCRIPT)}; style-src {_digest(STYLE)}; img-src blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def html(subject: Subject) -> str:
    """The page, with the name of the model and a field for every parameter."""
    fields = "\n".join(
        f'<label>{escape(number.meaning)}: <input type="number" name="{escape(name)}" value="{number.default:g}" min="{number.low:g}" '
        f'max="{number.high:g}" step="{"1" if number.kind is int else "any"}"></label>'
        for name, number in subject.parameters.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{escape(subject.name)}</title><style>{STYLE}</style></head>
<body>
<h1>{escape(subject.name)}</h1>
<p>A {escape(subject.kind)}; {escape(subject.note)}.</p>
<form>
<label>Picture (JPEG, PNG or WebP): <input type="file" name="image" accept="image/jpeg,image/png,image/webp" required></label>
{fields}
<button>Ask</button>
</form>
<p><img id="shown" alt="the picture with the answer drawn on it" hidden></p>
<pre id="said" aria-live="polite"></pre>
<script>{SCRIPT}</script>
</body>
</html>
"""
