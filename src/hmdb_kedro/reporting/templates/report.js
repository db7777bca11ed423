"use strict";
(function () {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const PRINT_PX = 660;
  const NARROW_PX = 600;

  function look(figure, printed) {
    const css = getComputedStyle(document.documentElement);
    const colour = (name) => css.getPropertyValue(name).trim();
    const ink = printed ? "#1b1f24" : colour("--ink");
    const line = printed ? "#d0d7de" : colour("--line");
    const shade = printed ? "#ffffff" : colour("--shade");
    const layout = JSON.parse(JSON.stringify(figure.layout));
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { size: printed || innerWidth < NARROW_PX ? 10 : 13, color: ink };
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
      Object.assign(layout[name], { gridcolor: line, linecolor: line, zerolinecolor: line });
    }
    if (layout.legend && innerWidth < NARROW_PX) layout.legend.font = { size: 9 };
    for (const menu of layout.updatemenus || []) {
      Object.assign(menu, { bgcolor: shade, bordercolor: line, font: { color: ink } });
    }
    layout.hoverlabel = { bgcolor: shade, bordercolor: line, font: { color: ink } };
    return layout;
  }

  // A wide figure keeps its width on a screen, where it scrolls; paper does not scroll.
  function width(asked, place, printed) {
    if (printed) return PRINT_PX;
    return asked > 2 * place.clientWidth ? asked : Math.min(asked, place.clientWidth);
  }

  function draw(printed) {
    for (const place of document.querySelectorAll(".plot")) {
      const figure = figures[place.dataset.figure];
      const layout = look(figure, printed);
      if (printed || layout.width) layout.width = width(layout.width, place, printed);
      const active = place.layout && place.layout.updatemenus;
      const data = place.data || figure.data;
      for (const trace of data.filter((found) => found.error_x)) {
        trace.error_x.color = layout.font.color;
      }
      if (active) layout.updatemenus.forEach((menu, i) => { menu.active = active[i].active; });
      Plotly.react(place, data, layout, { responsive: true, displayModeBar: false });
    }
  }

  draw(false);
  dark.addEventListener("change", () => draw(false));
  addEventListener("beforeprint", () => draw(true));
  addEventListener("afterprint", () => draw(false));
})();
