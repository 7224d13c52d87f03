// Elements with text. Text only ever goes in as text: there is no way here to put in markup.

export function el(tag, name = "", text = undefined) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

// Words of strangers: isolated, so that their direction cannot turn ours around.
export function said(text, name = "said") {
  const element = el("bdi", name, text);
  element.dir = "auto";
  return element;
}

export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function row(...cells) {
  const line = el("tr");
  for (const cell of cells) {
    const data = el("td");
    data.append(cell);
    line.append(data);
  }
  return line;
}

// Shape, word and colour together: no meaning by colour alone.
export function chip(kind, shape, text) {
  const element = el("li", `chip ${kind}`);
  const sign = el("span", "shape", shape);
  sign.setAttribute("aria-hidden", "true");
  element.append(sign, document.createTextNode(text));
  return element;
}

// Puts a child among children of `rank`, behind those of the same.
export function place(parent, child, rank) {
  child.dataset.rank = rank;
  const after = [...parent.children].find((other) => Number(other.dataset.rank ?? 0) > rank);
  parent.insertBefore(child, after ?? null);
}

// Replaces the children only where the words changed, so that screen readers are not told the same again.
export function refill(element, children) {
  const words = children.map((child) => child.className + child.textContent).join("\n");
  if (element.dataset.words === words) return;
  element.dataset.words = words;
  element.replaceChildren(...children);
}

// The session has ended: whoever looks says again who they are, and comes back here. Nothing old stays on the screen.
export function login() {
  location.assign(`/login?to=${encodeURIComponent(location.pathname)}`);
  return new Promise(() => {});
}

export async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", credentials: "same-origin" });
  if (answer.status === 401) return login();
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}
