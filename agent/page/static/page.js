// The page in place: asks for itself every two seconds and takes over what has changed. Old is never shown as now.
// ECMAScript 5, for tablets that nobody updates. Without it the page loads itself anew.
(function () {
  "use strict";
  var POLL_MS = 2000;
  var ANSWER_MS = 3000;
  var STALE_MS = 6000;
  var IDLE_MS = 30000;
  var DIM_MS = 60000;
  var NIGHT_FROM_H = 20;
  var NIGHT_TO_H = 7;
  var body = document.body;
  var heard = mark();
  var touched = mark();
  var waiting = null;

  function mark() {
    return { wall: new Date().getTime(), steady: window.performance ? performance.now() : 0 };
  }

  // Either clock may stand still (sleep) or be set: the longer of the two counts.
  function since(then) {
    var now = mark();
    return Math.max(now.wall - then.wall, now.steady - then.steady);
  }

  function byId(id) {
    return document.getElementById(id);
  }

  function swap(id, fresh) {
    var old = byId(id);
    var next = fresh.getElementById(id);
    if (!old || !next || old.innerHTML === next.innerHTML && old.className === next.className) {
      return false;
    }
    old.parentNode.replaceChild(document.importNode(next, true), old);
    return true;
  }

  function say(text) {
    var live = byId("live");
    if (live.textContent !== text) {
      live.textContent = text;
    }
  }

  // What somebody is typing is not taken from under their hands.
  function isTyping() {
    var at = document.activeElement;
    var fields = document.querySelectorAll("#people input:not([type=hidden])");
    for (var i = 0; i < fields.length; i += 1) {
      if (fields[i].value !== "") {
        return true;
      }
    }
    return Boolean(at && at.tagName === "BUTTON" && since(touched) < 3000);
  }

  function field() {
    return document.querySelector("#people input:not([type=hidden])");
  }

  function takePeople(fresh) {
    var people = byId("people");
    if (!people || isTyping()) {
      return;
    }
    var notice = people.querySelector(".notice");
    var next = fresh.getElementById("people");
    if (notice && next && !next.querySelector(".notice")) {
      next.insertBefore(fresh.importNode(notice, true), next.children[1] || null);
    }
    var had = people.contains(document.activeElement);
    if (swap("people", fresh) && had) {
      (field() || byId("people-word")).focus({ preventScroll: true });
    }
  }

  function take(fresh) {
    heard = mark();
    byId("stale").hidden = true;
    swap("now", fresh);
    byId("now").hidden = false;
    takePeople(fresh);
    document.title = fresh.title;
    say(fresh.getElementById("live").textContent);
  }

  function ask() {
    if (waiting) {
      return;
    }
    waiting = new XMLHttpRequest();
    waiting.onloadend = function () {
      var answer = waiting;
      waiting = null;
      var fresh = answer.status === 200 ? answer.responseXML : null;
      if (fresh && fresh.getElementById("now") && fresh.getElementById("live")) {
        take(fresh);
      }
    };
    waiting.open("GET", location.pathname + location.search);
    waiting.responseType = "document";
    waiting.timeout = ANSWER_MS;
    waiting.send();
  }

  function look() {
    if (since(heard) > STALE_MS) {
      byId("stale").hidden = false;
      byId("now").hidden = true;
      say(byId("stale").textContent.replace(/\s+/g, " "));
    }
    if (body.classList.contains("patient") && since(touched) > IDLE_MS) {
      body.classList.add("hidden");
      if (!isTyping() || since(touched) > 4 * IDLE_MS) {
        location.replace(body.getAttribute("data-home"));
      }
    }
    var hour = new Date().getHours();
    var isNight = hour >= NIGHT_FROM_H || hour < NIGHT_TO_H;
    body.classList.toggle("dim", isNight && since(touched) > DIM_MS);
  }

  // A touch shows the identifiers for another 30 seconds: the animation begins anew.
  function touch() {
    touched = mark();
    body.classList.remove("dim");
    body.classList.remove("hidden");
    var shown = document.querySelectorAll(".person");
    for (var i = 0; i < shown.length; i += 1) {
      shown[i].style.animationName = "none";
      void shown[i].offsetWidth;
      shown[i].style.animationName = "";
    }
  }

  ["touchstart", "mousedown", "keydown"].forEach(function (kind) {
    document.addEventListener(kind, touch, true);
  });
  document.addEventListener("visibilitychange", function () {
    if (!document.hidden) {
      look();
      ask();
    }
  });
  window.addEventListener("pageshow", look);
  // A reader that types needs no touch, and the facts stay in sight.
  window.addEventListener("load", function () {
    if (field() && (document.activeElement === body || document.activeElement === field())) {
      field().focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
  });
  setInterval(ask, POLL_MS);
  setInterval(look, 500);
}());
