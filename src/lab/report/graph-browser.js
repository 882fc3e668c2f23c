/**
 * The script of the graph's page, the only one there is. It runs in a browser, reads nodes and edges from the drawing,
 * and moves the drawing's viewBox. It writes text, never markup, and asks nothing of the network.
 */
(() => {
  'use strict';
  const svg = document.getElementById('graph-view');
  const panel = document.getElementById('graph-panel');
  const search = document.getElementById('graph-search');
  const status = document.getElementById('graph-status');
  const hitsMax = 40;
  /** Pixels a unit of the drawing below which texts of names cannot be read, and are not shown. */
  const textZoomMin = 0.8;
  /** The same for device models, of which the ring is full then. */
  const modelZoomMin = 0.25;
  const zoomMax = 6;
  /** From a device model to its text, when names are written, too. */
  const textGapNear = 16;
  const whole = svg.viewBox.baseVal.width;
  const marks = [...document.querySelectorAll('.graph-legend input')].map(({ value }) => value);
  const isStill = matchMedia('(prefers-reduced-motion: reduce)');
  const nodes = new Map();
  for (const element of svg.querySelectorAll('.node')) {
    const { e: x, f: y } = element.transform.baseVal.consolidate().matrix;
    nodes.set(element.id, {
      element, x, y, name: element.dataset.name, lower: element.dataset.name.toLowerCase(),
      about: element.querySelector('title').textContent, edges: [], ends: [],
    });
  }
  for (const edge of svg.querySelectorAll('.edge')) {
    const { from, to } = edge.dataset;
    for (const [end, other] of [[from, to], [to, from]]) {
      nodes.get(end).edges.push(edge);
      nodes.get(end).ends.push(other);
    }
  }

  /** Where the texts of device models begin, beyond the names around the ring, and their letters. */
  const models = [...nodes].filter(([id]) => id.startsWith('m')).map(([, { element, x, y }]) => {
    const text = element.querySelector('text');
    const far = text.x.baseVal[0].value;
    const outwards = 1 + Math.abs(far) / Math.max(1, Math.hypot(x, y));
    return { text, far, x: x * outwards, y: y * outwards, letters: text.textContent.length };
  });

  // The view: its middle, and pixels a unit.
  const view = { x: 0, y: 0, zoom: 1 };
  let moving = 0;
  const sizeOf = () => ({ width: Math.max(1, svg.clientWidth), height: Math.max(1, svg.clientHeight) });

  /** All in sight: with the texts of names if these can be read then, else with those of device models, else marks. */
  function zoomOfAll() {
    const { width, height } = sizeOf();
    const zoom = Math.min(width, height) / whole;
    if (zoom >= textZoomMin) return zoom;
    const withTexts = Math.min(textZoomMin, ...models.map(({ x, y, letters }) => {
      // Letters of device models are 7.4 pixels wide, however far away they are.
      const [away, reach] = [Math.max(1, Math.hypot(x, y)), letters * 7.4 + 10];
      const fit = (side, part) => (side / 2 - reach * Math.abs(part) / away) / Math.max(1, Math.abs(part));
      return Math.min(fit(width, x), fit(height, y));
    }));
    if (withTexts >= modelZoomMin) return withTexts;
    return Math.min(width, height) / 2 / (Math.max(1, ...models.map(({ x, y }) => Math.hypot(x, y))) + 70);
  }
  const zoomMin = () => Math.min(zoomOfAll(), Math.min(sizeOf().width, sizeOf().height) / whole);

  function show() {
    const { width, height } = sizeOf();
    const half = whole / 2;
    view.zoom = Math.min(zoomMax, Math.max(zoomMin(), view.zoom));
    view.x = Math.min(half, Math.max(-half, view.x));
    view.y = Math.min(half, Math.max(-half, view.y));
    const { x, y, zoom } = view;
    svg.setAttribute('viewBox', [x - width / 2 / zoom, y - height / 2 / zoom, width / zoom, height / zoom].join(' '));
    svg.style.setProperty('--zoom', String(zoom));
    const isFar = zoom < textZoomMin;
    // Near by, there is room for it between the names, and it shall be in sight with its mark.
    if (isFar !== svg.classList.contains('small')) {
      for (const { text, far } of models) text.setAttribute('x', String(isFar ? far : Math.sign(far) * textGapNear));
    }
    svg.classList.toggle('small', isFar);
    svg.classList.toggle('tiny', zoom < modelZoomMin);
  }

  /** Goes to a view, in a quarter of a second where motion is welcome. */
  function go(to) {
    cancelAnimationFrame(moving);
    const from = { ...view };
    let begin;
    const step = (now) => {
      begin ??= now;
      const part = isStill.matches ? 1 : Math.min(1, (now - begin) / 250);
      const eased = part * (2 - part);
      view.x = from.x + (to.x - from.x) * eased;
      view.y = from.y + (to.y - from.y) * eased;
      view.zoom = from.zoom * (to.zoom / from.zoom) ** eased;
      show();
      if (part < 1) moving = requestAnimationFrame(step);
    };
    if (isStill.matches) step(0);
    else moving = requestAnimationFrame(step);
  }

  /** Zooms so that the point under the pointer stays there. */
  function zoomAt(factor, clientX, clientY) {
    cancelAnimationFrame(moving);
    const box = svg.getBoundingClientRect();
    const away = { x: clientX - box.left - box.width / 2, y: clientY - box.top - box.height / 2 };
    const zoom = Math.min(zoomMax, Math.max(zoomMin(), view.zoom * factor));
    view.x += away.x / view.zoom - away.x / zoom;
    view.y += away.y / view.zoom - away.y / zoom;
    view.zoom = zoom;
    show();
  }

  const zoomBy = (factor) => go({ ...view, zoom: Math.min(zoomMax, Math.max(zoomMin(), view.zoom * factor)) });
  const showAll = () => go({ x: 0, y: 0, zoom: zoomOfAll() });

  /** Goes where all of these are seen, texts included. */
  function goTo(ids) {
    const places = ids.flatMap((id) => {
      const { element, x, y } = nodes.get(id);
      const textLength = 280;
      if (element.classList.contains('inner')) return [{ x, y }, { x: x + textLength, y }];
      const outwards = 1 + textLength / Math.max(1, Math.hypot(x, y));
      return [{ x, y }, { x: x * outwards, y: y * outwards }];
    });
    const [left, right] = [Math.min(...places.map(({ x }) => x)), Math.max(...places.map(({ x }) => x))];
    const [top, bottom] = [Math.min(...places.map(({ y }) => y)), Math.max(...places.map(({ y }) => y))];
    const { width, height } = sizeOf();
    const air = 60;
    go({
      x: (left + right) / 2, y: (top + bottom) / 2,
      zoom: Math.min(1.6, width / (right - left + air), height / (bottom - top + air)),
    });
  }

  function listNodes(ids) {
    const list = document.createElement('ul');
    for (const id of ids) {
      const button = document.createElement('button');
      button.type = 'button';
      const sign = document.getElementById(`sign-${nodes.get(id).element.dataset.sign}`);
      button.append(sign.cloneNode(true), nodes.get(id).name);
      button.firstChild.removeAttribute('id');
      button.addEventListener('click', () => choose(id, true));
      const item = document.createElement('li');
      item.append(button);
      list.append(item);
    }
    return list;
  }

  function fillPanel(heading, text, ids, more) {
    const isWithin = panel.contains(document.activeElement);
    const title = document.createElement('h3');
    title.textContent = heading;
    const about = document.createElement('p');
    about.textContent = text;
    panel.replaceChildren(title, about, ...more, listNodes(ids));
    panel.scrollTop = 0;
    // The button that was pressed is gone: whoever works by keyboard goes on from here.
    if (isWithin) panel.focus();
  }

  const showModels = () => {
    const ids = [...nodes.keys()].filter((id) => id.startsWith('m'));
    fillPanel('Device models', 'Choose one here or in the drawing.', ids, []);
  };

  /** Names in the order of the legend. */
  const rankOf = (id) => marks.indexOf(nodes.get(id).element.dataset.mark);

  function unmark(...classes) {
    for (const { element, edges } of nodes.values()) {
      element.classList.remove(...classes);
      for (const edge of edges) edge.classList.remove(...classes);
    }
  }

  /** Shows a node and its neighbours, and fades the others. */
  function choose(id, isFar) {
    const node = nodes.get(id);
    unmark('near', 'at', 'found');
    svg.classList.add('chosen');
    node.element.classList.add('at', 'near');
    for (const edge of node.edges) edge.classList.add('near');
    for (const end of node.ends) nodes.get(end).element.classList.add('near');
    const back = document.createElement('button');
    back.type = 'button';
    back.textContent = 'Back to all';
    back.addEventListener('click', () => {
      release();
      showAll();
    });
    const ends = [...node.ends].sort((a, b) => rankOf(a) - rankOf(b));
    fillPanel(node.name, node.about.slice(node.name.length + 2), ends, [back]);
    status.textContent = `${node.about}.`;
    history.replaceState(null, '', `#${id}`);
    if (isFar) goTo([id, ...node.ends]);
  }

  function release() {
    unmark('near', 'at', 'found');
    svg.classList.remove('chosen');
    status.textContent = '';
    history.replaceState(null, '', '#graph');
    showModels();
  }

  function find(isDone) {
    const wanted = search.value.trim().toLowerCase();
    unmark('found');
    if (wanted === '') {
      release();
      return;
    }
    const hits = [...nodes].filter(([, { lower }]) => lower.includes(wanted)).map(([id]) => id);
    const exact = hits.find((id) => nodes.get(id).lower === wanted);
    if (isDone && hits.length > 0) {
      choose(exact ?? hits[0], true);
      return;
    }
    unmark('near', 'at');
    svg.classList.toggle('chosen', hits.length > 0);
    for (const id of hits) nodes.get(id).element.classList.add('near', ...(hits.length <= hitsMax ? ['found'] : []));
    status.textContent = `${hits.length} found`;
    fillPanel(`${hits.length} found`, hits.length > hitsMax ? `The first ${hitsMax}:` : '', hits.slice(0, hitsMax), []);
  }

  function followAddress() {
    const id = location.hash.slice(1);
    if (!nodes.has(id)) return;
    choose(id, true);
    svg.scrollIntoView({ block: 'nearest' });
  }

  const pointers = new Map();
  let hasMoved = false;
  let pressed;
  svg.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    cancelAnimationFrame(moving);
    if (pointers.size === 0) {
      hasMoved = false;
      pressed = event.target.closest('.node')?.id;
    }
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener('pointermove', (event) => {
    const last = pointers.get(event.pointerId);
    if (last === undefined) return;
    const now = { x: event.clientX, y: event.clientY };
    // A hand trembles: less than three pixels are a click.
    if (!hasMoved && Math.hypot(now.x - last.x, now.y - last.y) < 3) return;
    hasMoved = true;
    svg.classList.add('dragged');
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other === undefined) {
      view.x -= (now.x - last.x) / view.zoom;
      view.y -= (now.y - last.y) / view.zoom;
      show();
    } else {
      const before = Math.hypot(last.x - other.x, last.y - other.y);
      const after = Math.hypot(now.x - other.x, now.y - other.y);
      zoomAt(after / Math.max(1, before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    }
    pointers.set(event.pointerId, now);
  });
  const lift = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    svg.classList.remove('dragged');
    if (event.type === 'pointercancel' || hasMoved || pointers.size > 0) return;
    if (pressed === undefined || pressed === '') release();
    else choose(pressed, false);
  };
  svg.addEventListener('pointerup', lift);
  svg.addEventListener('pointercancel', lift);
  svg.addEventListener('wheel', (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1);
    zoomAt(Math.exp(-Math.max(-300, Math.min(300, pixels)) / 400), event.clientX, event.clientY);
  }, { passive: false });
  svg.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 80 / view.zoom;
    const actions = {
      '+': () => zoomBy(1.4), '=': () => zoomBy(1.4), '-': () => zoomBy(1 / 1.4), 0: showAll, Escape: release,
      ArrowLeft: () => go({ ...view, x: view.x - step }), ArrowRight: () => go({ ...view, x: view.x + step }),
      ArrowUp: () => go({ ...view, y: view.y - step }), ArrowDown: () => go({ ...view, y: view.y + step }),
      '/': () => search.focus(),
    };
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  });
  document.getElementById('graph-in').addEventListener('click', () => zoomBy(1.6));
  document.getElementById('graph-out').addEventListener('click', () => zoomBy(1 / 1.6));
  document.getElementById('graph-all').addEventListener('click', showAll);
  search.addEventListener('input', () => find(false));
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') find(true);
  });
  for (const box of document.querySelectorAll('.graph-legend input')) {
    const apply = () => svg.classList.toggle(`hide-${box.value}`, !box.checked);
    box.addEventListener('change', apply);
    box.disabled = false;
    apply();
  }
  for (const tool of document.querySelectorAll('.graph-tools, .graph-panel')) tool.hidden = false;
  addEventListener('hashchange', followAddress);
  let sized = false;
  new ResizeObserver(() => {
    if (!sized && location.hash.length < 2) view.zoom = zoomOfAll();
    sized = true;
    show();
  }).observe(svg);
  view.zoom = zoomOfAll();
  show();
  showModels();
  followAddress();
})();
