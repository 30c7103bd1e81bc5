
// The page of demeterrr fake. Events bring the state and the new requests; the
// lists of contacts, sequences and sendings are asked for a page at a time. Each
// table has its rows from the start, and only their texts change: nothing moves.

const el = id => document.getElementById(id);
const groups = new Intl.NumberFormat("en-US");
const clock = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit", second: "2-digit"});

const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const setClass = (node, name) => { if (node.className !== name) node.className = name; };
const timeOf = text => clock.format(new Date(text));
const countOf = (n, thing) => `${groups.format(n)} ${thing}${n === 1 ? "" : "s"}`;

// ask fetches JSON below /_fake; an error carries the fake's own words.
async function ask(path, options) {
  const reply = await fetch(`/_fake/${path}`, options);
  const body = reply.status === 204 ? null : await reply.json();
  if (reply.status === 401) location.reload();
  if (!reply.ok) throw new Error(body.error.message);
  return body;
}

// A Table shows one page of a list in rows that never change their number.
class Table {
  constructor(id, {fill, empty, words, emptyCell = 0}) {
    const root = el(id);
    const rows = [...root.querySelectorAll("tbody tr")].filter(row => getComputedStyle(row).display !== "none"); // a phone has fewer
    Object.assign(this, {root, rows, size: rows.length, fill, empty, words, emptyCell, page: 1, total: 0});
    const nav = root.querySelector("nav");
    this.where = document.createElement("p");
    this.back = this.button(nav, words[0], () => this.turn(-1));
    this.on = this.button(nav, words[1], () => this.turn(1));
    nav.prepend(this.where);
    this.show([], 0);
  }

  button(nav, text, act) {
    const button = Object.assign(document.createElement("button"), {type: "button", textContent: text});
    button.addEventListener("click", () => { if (button.getAttribute("aria-disabled") !== "true") act(); });
    nav.append(button);
    return button;
  }

  turn(by) {
    this.page += by;
    this.refresh();
  }

  // show fills the rows. A page that no longer exists gives way to the last one.
  show(items, total, note = "") {
    this.total = total;
    const pages = Math.max(1, Math.ceil(total / this.size));
    if (this.page > pages) {
      this.page = pages;
      this.refresh();
      return;
    }
    this.rows.forEach((row, i) => {
      const nothing = i === 0 && items.length === 0;
      setClass(row, items[i] ? "" : nothing ? "empty" : "blank");
      const cells = this.fill(row, items[i]);
      row.querySelectorAll("td").forEach((cell, n) => {
        const value = cells[n] ?? "";
        if (typeof value !== "string") return; // the cell was filled
        setText(cell, nothing && n === this.emptyCell ? this.empty(this) : value);
        cell.title = value;
      });
    });
    const first = (this.page - 1) * this.size;
    setText(this.where, total === 0 ? "none" : `${groups.format(first + 1)}–${groups.format(first + items.length)} of ${groups.format(total)}${note}`);
    this.back.setAttribute("aria-disabled", this.page === 1);
    this.on.setAttribute("aria-disabled", this.page === pages);
  }
}

// badge puts a small mark into a cell, and returns the cell as filled.
function badge(row, n, kind, text) {
  const cell = row.children[n];
  let mark = cell.firstElementChild;
  if (!mark) {
    mark = document.createElement("span");
    cell.replaceChildren(mark);
  }
  setClass(mark, kind ? `badge ${kind}` : "");
  setText(mark, text);
  return cell;
}

// The requests are here already, newest first: the newest 1,000.
const requests = new Table("requests", {
  words: ["Newer", "Older"],
  emptyCell: 3, empty: () => "no request yet",
  fill(row, r) {
    let open = row.children[2].firstElementChild;
    if (!open) {
      open = Object.assign(document.createElement("button"), {type: "button"});
      open.addEventListener("click", () => showDetails(open.dataset.number));
      row.children[2].replaceChildren(open);
    }
    open.hidden = !r;
    if (!r) return ["", badge(row, 1, "", ""), open, ""];
    open.dataset.number = r.number;
    const target = `${r.method} ${r.path}${r.query ? `?${r.query}` : ""}`;
    setText(open, target.replace(/([0-9a-f]{4})[0-9a-f]{4}-[0-9a-f-]{27}/g, "$1…")); // ids are long, and the dialog has the whole
    open.title = target;
    return [timeOf(r.at), badge(row, 1, kindOf(r), r.status ? String(r.status) : "lost"), open, r.why];
  },
});
let kept = [], held = null, counted = 0;
requests.refresh = () => {
  const all = held ?? kept;
  const first = (requests.page - 1) * requests.size;
  requests.show(all.slice(first, first + requests.size), all.length, counted > all.length && !held ? ` kept, ${groups.format(counted)} in all` : "");
};

function kindOf(r) {
  if (r.status === 0 || r.status >= 500) return "failed";
  if (r.status === 429) return "throttled";
  return r.status >= 400 ? "refused" : "ok";
}

async function showDetails(number) {
  try {
    const {data: r} = await ask(`requests/${number}`);
    setText(el("details-title"), `${r.status || "lost"} ${r.method} ${r.path}${r.query ? `?${r.query}` : ""}`);
    setText(el("details-why"), [`Request ${groups.format(r.number)} at ${timeOf(r.at)}`, r.why, r.userAgent].filter(Boolean).join(" · "));
    setText(el("details-body"), pretty(r.body) || "none");
    setText(el("details-error"), pretty(r.errorBody) || "none");
    el("details").showModal();
  } catch (error) {
    say(error.message, true);
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// Remote tables ask for their page when the account has changed: one request at
// a time, and not more than one in 400 ms.
class Remote extends Table {
  constructor(id, options) {
    super(id, options);
    this.search = this.root.querySelector("input[type=search]");
    this.search?.addEventListener("input", () => { this.page = 1; this.refresh(); });
  }

  refresh() {
    this.stale = true;
    if (!this.busy) this.load();
  }

  async load() {
    this.busy = true;
    while (this.stale) {
      this.stale = false;
      const query = new URLSearchParams({page: this.page, limit: this.size});
      if (this.search?.value.trim()) query.set("search", this.search.value.trim());
      if (this.root.querySelector("input[type=checkbox]")?.checked) query.set("sentTwice", "true");
      try {
        const {data, meta} = await ask(`${this.root.id}?${query}`);
        this.show(data, meta.total);
      } catch {
        // The fake has stopped, and the status says so. The next snapshot asks again.
      }
      await new Promise(done => setTimeout(done, 400));
    }
    this.busy = false;
  }
}

const sendings = new Remote("sendings", {
  words: ["Newer", "Older"],
  emptyCell: 1, empty: list => list.search?.value || el("only-twice").checked ? "none is like that" : "no sending yet",
  fill(row, s) {
    if (!s) return ["", "", "", badge(row, 3, "", "")];
    if (s.sentTwice) setClass(row, "twice");
    return [timeOf(s.at), s.email, s.sequenceName, badge(row, 3, s.sentTwice ? "failed" : "", s.sentTwice ? "twice" : "")];
  },
});
el("only-twice").addEventListener("change", () => { sendings.page = 1; sendings.refresh(); });

const contacts = new Remote("contacts", {
  words: ["Previous", "Next"],
  empty: list => list.search?.value ? "no contact is like that" : "no contact yet",
  fill(row, c) {
    if (!c) return ["", "", "", ""];
    if (c.sentTwice) setClass(row, "twice");
    const notes = c.unsubscribed ? ["unsubscribed", ...c.tags] : c.tags;
    return [c.email || c.phone, [c.firstName, c.lastName].filter(Boolean).join(" "), notes.join(", "), groups.format(c.sendings)];
  },
});

const sequences = new Remote("sequences", {
  words: ["Previous", "Next"],
  empty: () => "no sequence yet; start the fake with --seed",
  fill(row, s) {
    if (!s) return ["", badge(row, 1, "", ""), ""];
    return [s.name || s.id, badge(row, 1, s.status === "active" ? "ok" : "off", s.status), groups.format(s.sendings)];
  },
});

// The state, and what the clock makes of it.
let state = null, drift = 0, revision = "";

function left(until) {
  const seconds = Math.max(0, Math.ceil((new Date(until) - Date.now() - drift) / 1000));
  const pad = n => String(n).padStart(2, "0");
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}` : `${Math.floor(seconds / 60)}:${pad(seconds % 60)}`;
}

function showWindows() {
  const places = el("windows").querySelectorAll(".window");
  if (places.length !== state.windows.length) location.reload(); // a new fake has more or fewer limits
  state.windows.forEach((w, i) => {
    const place = places[i];
    if (!place) return;
    const full = w.used >= w.requests;
    setClass(place, full ? "window full" : "window");
    const text = `${groups.format(w.used)} of ${groups.format(w.requests)} used`;
    setText(place.querySelector("b"), `${groups.format(w.requests)} per ${w.window.replace(/^1 /, "")}`); // a new fake has other limits
    setText(place.querySelector(".window-state"), full ? `${text}, room in ${left(w.reset)}` : `${text}, reset in ${left(w.reset)}`);
    const bar = place.querySelector(".bar");
    bar.setAttribute("aria-valuenow", w.used / w.requests);
    bar.setAttribute("aria-valuetext", text);
    bar.setAttribute("aria-label", place.querySelector("b").textContent);
    bar.firstElementChild.style.transform = `scaleX(${w.used / w.requests})`;
  });
}

const lines = [0, 1].map(() => el("waiting").appendChild(document.createElement("li")));
function showFaults() {
  const waiting = state.faults.map(f => f.for ? `${f.what}, for ${left(Date.parse(state.time) + f.for * 1000)} more` : f.what);
  const shown = waiting.length > 2 ? [waiting[0], `and ${waiting.length - 1} more`] : waiting;
  lines.forEach((line, i) => {
    setText(line, shown[i] ?? (i === 0 ? "No fault waits." : ""));
    setClass(line, shown[i] ? "" : "none");
    line.title = shown[i] ?? "";
  });
  el("clear").setAttribute("aria-disabled", waiting.length === 0);
}

function showState() {
  for (const [name, n] of Object.entries(state.counts)) setText(el(`count-${name}`), groups.format(n));
  const twice = state.counts.sentTwice;
  setClass(el("twice"), twice > 0 ? "twice" : "");
  setText(el("alert"), twice > 0 ? `${countOf(twice, "contact")} messaged twice` : "");
  setText(el("key"), state.keyExpired ? "Restore the key" : "Expire the key");
  setText(el("connect"), `export DEMETERRR_BASE_URL=${location.origin}/api/v1\nexport DEMETERRR_API_KEY=${state.apiKey}`);
  setText(document.querySelector("title"), twice > 0 ? `(${twice} twice) demeterrr fake` : "demeterrr fake");
  showWindows();
  showFaults();
}

function take(next, whole) {
  state = next;
  drift = Date.parse(next.time) - Date.now();
  counted = next.counts.requests;
  kept = whole ? next.requests : [...next.requests, ...kept].slice(0, 1000);
  if (whole) hold(false);
  showState();
  requests.refresh();
  if (revision !== next.revision) {
    revision = next.revision;
    [sendings, contacts, sequences].forEach(list => list.refresh());
  }
}

function hold(on) {
  held = on ? kept : null;
  el("hold").setAttribute("aria-pressed", on);
  setText(el("hold"), on ? "Paused" : "Pause");
}
el("hold").addEventListener("click", () => { hold(!held); requests.refresh(); });

setInterval(() => { if (state && source) { showWindows(); showFaults(); } }, 1000);

// Buttons.
let saying = 0;
function say(text, problem = false) {
  setClass(el("said"), problem ? "said problem" : "said");
  setText(el("said"), text);
  clearTimeout(saying);
  saying = setTimeout(() => setText(el("said"), ""), problem ? 20000 : 6000);
}

function act(id, run) {
  el(id).addEventListener("click", async () => {
    if (el(id).getAttribute("aria-disabled") === "true") return;
    try {
      const text = await run();
      if (text) say(text);
    } catch (error) {
      say(error instanceof TypeError ? "The fake does not answer." : error.message, true);
    }
  });
}

const post = (path, body) => ask(path, {method: "POST", body: body && JSON.stringify(body), headers: body ? {"Content-Type": "application/json"} : {}});
async function inject(fault) {
  const {data} = await post("faults", {route: el("route").value, ...fault});
  return `Injected: ${data.what}${data.for ? `, for ${data.for} s` : ""}.`;
}
act("lose", () => inject({drop: "after"}));
act("throttle", () => inject({status: 429, retryAfter: 60, for: 60}));
act("fail", () => inject({status: 500}));
act("clear", async () => { await ask("faults", {method: "DELETE"}); return "All faults have ended."; });
act("key", async () => {
  const expired = state?.keyExpired;
  await post(expired ? "key/restore" : "key/expire");
  return expired ? "The key is good again." : "The key has expired: every request gets 401.";
});
act("reset", () => {
  const {contacts: people, sendings: sent, requests: asked} = state?.counts ?? {contacts: 0, sendings: 0, requests: 0};
  setText(el("sure-text"), `The fake forgets ${countOf(people, "contact")}, ${countOf(sent, "sending")} and ${countOf(asked, "request")}, and begins as it was started.`);
  el("sure").returnValue = "";
  el("sure").showModal();
});
el("sure").addEventListener("close", async () => {
  if (el("sure").returnValue !== "reset") return;
  try {
    await post("reset");
    say("The account is as at the start.");
  } catch (error) {
    say(error.message, true);
  }
});
act("copy", async () => {
  const range = document.createRange();
  range.selectNodeContents(el("connect"));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  let done = "Selected";
  try {
    await navigator.clipboard.writeText(el("connect").textContent); // only on secure origins, which loopback is
    done = "Copied";
  } catch {
    // The text stays selected.
  }
  setText(el("copy"), done);
  setTimeout(() => setText(el("copy"), "Copy"), 2000);
});

// The connection. A hidden page lets it go: a browser has six for one address.
let source = null, again = 0;
function connect() {
  clearTimeout(again);
  source?.close();
  source = new EventSource("/_fake/events");
  source.addEventListener("snapshot", event => { online(); take(JSON.parse(event.data), true); });
  source.addEventListener("update", event => { online(); take(JSON.parse(event.data), false); });
  source.addEventListener("stopped", stopped);
  source.addEventListener("error", stopped);
}

function online() {
  setClass(el("status"), "pill live");
  setText(el("status"), "live");
  setClass(el("trouble"), "trouble");
  setText(el("trouble"), "What your integration does to the account, as it happens.");
}

// stopped tells, and tries again. A source that closed itself never would.
function stopped() {
  setClass(el("status"), "pill stopped");
  setText(el("status"), "reconnecting");
  setClass(el("trouble"), "trouble stopped");
  setText(el("trouble"), "The fake has stopped; reconnecting.");
  clearTimeout(again);
  again = setTimeout(async () => {
    if (source?.readyState === EventSource.CLOSED) {
      try {
        await ask("requests?limit=1"); // a fake that was started again may want its token
        connect();
      } catch {
        stopped();
      }
    }
  }, 1000);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(again);
    source?.close();
    source = null;
  } else if (!source) {
    connect();
  }
});
if (!document.hidden) connect();
