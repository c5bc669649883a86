// Requests that change something. A page that is open for hours outlives its session: after a new log-in, in any tab,
// it takes the new session's token and goes on, but only for the same user.

const token = document.querySelector("[name=csrf-token]");
const facts = JSON.parse(document.getElementById("facts").textContent);

// The answer's JSON (null when it has none); an Error with words for a reader, and `code`, when it is refused.
export async function change(method, url, body) {
  let answer = await ask(method, url, body);
  if ([401, 403].includes(answer.status) && (await renewed())) answer = await ask(method, url, body);
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const said = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(said.message ?? `the server answers ${answer.status}`), { code: said.code });
}

async function ask(method, url, body) {
  try {
    return await fetch(url, { method, body, headers: { "X-CSRF-Token": token.content } });
  } catch {
    throw new Error("the server cannot be reached");
  }
}

async function renewed() {
  const answer = await fetch("/api/v1/users/me");
  if (answer.status === 401) throw new Error("you are logged out; log in in another tab and leave this one open");
  const me = await answer.json();
  if (me.id !== facts.reader) throw new Error(`this browser is now logged in as ${me.name}; log in as yourself in another tab`);
  const other = me.csrf !== token.content;
  token.content = me.csrf;
  return other;
}
