// Draws the figures of this page in its own colors, again when those change.
(function () {
  "use strict";
  var figures = JSON.parse(document.getElementById("figures").textContent);
  if (typeof Plotly === "undefined") { // a run without figures comes without it
    document.body.dataset.drawn = "0";
    return;
  }
  var coarse = matchMedia("(pointer: coarse)").matches;
  var printing = false;
  var draw = "stacked";
  var PAPER = { alone: 700, paired: 345 }; // widths in print, px; the style sheet scales to the page

  function theme(layout, data, width) {
    var css = getComputedStyle(document.documentElement);
    var color = function (name) { return css.getPropertyValue(name).trim(); };
    var ink = color("--ink"), soft = color("--soft"), grid = color("--grid");
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: soft };
    layout.hoverlabel = { bgcolor: color("--paper"), bordercolor: color("--line"), font: { color: ink, size: 12 } };
    layout.dragmode = coarse ? false : "zoom";
    if (width) layout.width = width; else layout.autosize = true;
    Object.keys(layout).forEach(function (name) {
      if (!/^[xy]axis\d*$/.test(name)) return;
      var axis = layout[name];
      axis.gridcolor = grid;
      axis.zerolinecolor = axis.linecolor = color("--line");
      axis.automargin = true;
      if (axis.title) axis.title.standoff = 8;
    });
    (layout.annotations || []).forEach(function (a) {
      a.font.color = a.name === "name" ? ink : color("--bad");
      a.bgcolor = a.name === "name" ? "rgba(0,0,0,0)" : color("--paper");
    });
    data.forEach(function (trace) {
      ["error_x", "error_y"].forEach(function (name) {
        if (trace[name] && !trace[name].color) trace[name].color = ink;
      });
      if (trace.meta === "marks") trace.marker.color = ink;
      if (trace.meta === "soft") trace.marker.color = soft;
      if (trace.meta === "ink") trace.line.color = ink;
      if (trace.meta === "outlined") trace.marker.line.color = ink;
      if (trace.meta === "runs") trace.marker.opacity = Number(color("--run-opacity"));
      if (trace.meta === "line") {
        trace.line.color = color("--accent");
        if (trace.marker) trace.marker.color = color("--accent");
      }
      if (trace.marker && trace.marker.pattern) trace.marker.pattern.fgcolor = color("--paper");
      if (trace.yaxis === "y2") trace.textfont = { color: ink, size: 11 };
    });
  }

  function apart(data) {
    data.forEach(function (trace) {
      if (!trace.stackgroup) return;
      delete trace.stackgroup;
      trace.line.width = trace.x.length > 500 ? 1 : 1.5;
    });
  }

  function show(element) {
    var figure = JSON.parse(JSON.stringify(figures[element.dataset.figure]));
    if (element.dataset.figure === "power" && draw === "lines") apart(figure.data);
    var width = printing ? (element.closest("figure:not(:only-child)") ? PAPER.paired : PAPER.alone) : 0;
    theme(figure.layout, figure.data, width);
    var height = figure.layout.height;
    element.style.height = printing ? "auto" : height + "px"; // a resize asks the element, not the layout
    element.style.aspectRatio = printing ? width + " / " + height : "";
    return Plotly.react(element, figure.data, figure.layout, {
      responsive: !printing, displaylogo: false, displayModeBar: coarse ? false : "hover",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    }).then(function () {
      if (!printing) return;
      element.querySelectorAll(".main-svg").forEach(function (svg) {
        svg.setAttribute("viewBox", "0 0 " + width + " " + height);
      });
    });
  }

  var charts = Array.prototype.slice.call(document.querySelectorAll("[data-figure]"));
  function showAll() { return Promise.all(charts.map(show)); }

  var control = document.querySelector(".switch");
  var stacked = (figures.power ? figures.power.data : []).filter(function (t) { return t.stackgroup; });
  if (control && stacked.length > 1) {
    control.hidden = false;
    control.addEventListener("click", function (event) {
      var chosen = event.target.dataset.draw;
      if (!chosen) return;
      draw = chosen;
      control.querySelectorAll("button").forEach(function (button) {
        button.setAttribute("aria-pressed", String(button.dataset.draw === draw));
      });
      show(document.querySelector('[data-figure="power"]'));
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showAll);
  function print(on) {
    printing = on;
    document.documentElement.toggleAttribute("data-printing", on); // paper is white
    showAll();
  }
  addEventListener("beforeprint", function () { print(true); });
  addEventListener("afterprint", function () { print(false); });
  showAll().then(function () { document.body.dataset.drawn = String(charts.length); });
})();
