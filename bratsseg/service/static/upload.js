// Uploads in pieces with progress: a broken connection goes on where it was, and so does a page that is opened again.

const form = document.getElementById("upload");
const chooser = document.getElementById("files");
const told = document.getElementById("upload-progress");
const CHUNK = 1 << 22;
const PATIENCE = 8; // attempts for one piece, with growing pauses: about two minutes

class Refused extends Error {
  constructor(answer) {
    super(answer.message);
    this.answer = answer;
  }
}

async function ask(method, path, body, headers = {}) {
  const token = { "X-CSRF-Token": form.elements.csrf_token.value };
  const answer = await fetch(`/api/v1/uploads${path}`, { method, body, headers: { ...token, ...headers } });
  const said = await answer.json();
  if (!answer.ok) throw new Refused({ status: answer.status, ...said });
  return said;
}

async function send(files) {
  told.textContent = "reading the files …";
  const sums = new Map();
  for (const file of files) sums.set(file, await crc32(file));
  const upload = (await unfinished(files, sums)) ?? (await begin(files, sums));
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const bar = showBar(total);
  let before = 0;
  for (const row of upload.files) {
    const file = files.find((one) => same(one, row, sums));
    for (let at = row.received; at < file.size; ) {
      at = await sendPiece(upload, row, at, file.slice(at, at + upload.piece_bytes));
      bar(before + at);
    }
    before += file.size;
    bar(before);
  }
  told.querySelector("span").textContent = "checking the files …";
  await ask("POST", `/${upload.id}/complete`);
  location.assign(`/uploads/${upload.id}`);
}

// The upload of these very files that was broken off, if there is one.
async function unfinished(files, sums) {
  const { items } = await ask("GET", "");
  return items.find(
    (one) =>
      one.status === "open" &&
      one.patient_id === (form.elements.patient?.value || null) &&
      one.files.length === files.length &&
      one.files.every((row) => files.some((file) => same(file, row, sums))),
  );
}

// By content too: scans of two patients often have one name and one size.
function same(file, row, sums) {
  return file.name === row.name && file.size === row.size && sums.get(file) === row.crc32;
}

function begin(files, sums) {
  const announced = files.map((file) => ({ name: file.name, size: file.size, crc32: sums.get(file) }));
  const more = { patient_id: form.elements.patient?.value || null, taken_on: form.elements.taken_on.value || null };
  return ask("POST", "", JSON.stringify({ files: announced, ...more }), { "Content-Type": "application/json" });
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

// CRC-32 of a file; the browser's own hashes work over https only.
async function crc32(file) {
  let sum = 0xffffffff;
  for (let at = 0; at < file.size; at += CHUNK) {
    const bytes = new Uint8Array(await file.slice(at, at + CHUNK).arrayBuffer());
    for (let next = 0; next < bytes.length; next++) sum = TABLE[(sum ^ bytes[next]) & 255] ^ (sum >>> 8);
  }
  return (sum ^ 0xffffffff) >>> 0;
}

// Send a piece until it is there; returns how far the file has come.
async function sendPiece(upload, row, offset, piece) {
  for (let attempt = 1; ; attempt++) {
    try {
      const headers = { "Upload-Offset": String(offset), "Content-Type": "application/octet-stream" };
      return (await ask("PATCH", `/${upload.id}/files/${row.id}`, piece, headers)).received;
    } catch (error) {
      if (error.answer?.code === "offset_differs") return error.answer.received;
      const passing = !error.answer || error.answer.status >= 500 || [408, 429].includes(error.answer.status);
      if (!passing || attempt === PATIENCE) throw error;
      await new Promise((go) => setTimeout(go, 500 * 2 ** attempt));
    }
  }
}

function showBar(total) {
  const bar = Object.assign(document.createElement("progress"), { max: total || 1, value: 0 });
  const text = document.createElement("span");
  told.replaceChildren(bar, " ", text);
  return (sent) => {
    bar.value = sent;
    text.textContent = `${Math.round((100 * sent) / (total || 1))} %`;
  };
}

function showProblem(error) {
  const text = Object.assign(document.createElement("p"), { className: "problem" });
  text.setAttribute("role", "alert");
  const code = Object.assign(document.createElement("span"), { className: "mono", textContent: error.answer?.code ?? "" });
  const strong = Object.assign(document.createElement("strong"), {
    textContent: error.answer ? error.message : "The connection broke; choose the same files again to go on.",
  });
  text.append(strong, " ", code);
  if (error.answer?.existing) {
    const link = Object.assign(document.createElement("a"), { textContent: "Open the existing study" });
    link.href = `/studies/${error.answer.existing}`;
    text.append(" ", link);
  }
  told.replaceChildren(text);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await send([...chooser.files]);
  } catch (error) {
    showProblem(error);
    button.disabled = false;
  }
});

const drop = form.querySelector(".drop");
for (const event of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(event, (happened) => {
    happened.preventDefault();
    drop.classList.toggle("over", event === "dragover");
    if (event === "drop") chooser.files = happened.dataTransfer.files;
  });
}
