// The socket of a bed, opened again with growing, scattered waits.

import { login } from "./dom.js";

const FIRST_MS = 500;
const LIMIT_MS = 15000;
const SILENT_MS = 12000; // the centre says something every two seconds

export function listen(gateway, hear, changed) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  let wait_ms = FIRST_MS;
  let silence = null;

  function open() {
    const socket = new WebSocket(`${scheme}//${location.host}/api/beds/${encodeURIComponent(gateway)}/live`);
    const watch = () => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.close(), SILENT_MS);
    };
    socket.onopen = () => {
      watch();
      changed(true, "");
    };
    socket.onmessage = (said) => {
      wait_ms = FIRST_MS;
      watch();
      hear(JSON.parse(said.data));
    };
    socket.onclose = (end) => {
      clearTimeout(silence);
      if (end.code === 4401) return login();
      changed(false, end.code === 4404 ? "This centre knows no such bed." : "");
      setTimeout(open, wait_ms * (0.5 + Math.random()));
      wait_ms = Math.min(LIMIT_MS, wait_ms * 2);
    };
  }
  open();
}
