/*
Copyright (c) 2026, certfleet.collectssl contributors
GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
*/
'use strict';
(() => {
  const find = name => document.getElementById(name), all = what => [...document.querySelectorAll(what)];
  const panel = find('filter'), text = find('text'), state = find('state'), count = find('count');
  const rows = all('[data-kinds]').map(element => ({
    element, words: null, kinds: element.dataset.kinds.split(' '), what: element.dataset.what,
    number: Number(element.dataset.number)
  }));
  const groups = all('.group').map(element => ({
    element, folds: [...element.querySelectorAll('details.fold')], rows: []
  }));
  const ofElement = new Map(groups.map(group => [group.element, group]));
  for (const row of rows) ofElement.get(row.element.closest('.group')).rows.push(row);
  const open = new Map();
  const number = value => value.toLocaleString('en');

  const wordsOf = row => row.words ??= row.element.textContent.toLowerCase();

  const counted = what => {
    const some = rows.filter(row => row.what === what);
    const sum = list => list.reduce((before, row) => before + row.number, 0);
    const total = sum(some), shown = sum(some.filter(row => !row.element.hidden));
    return total ? [`${number(shown)} of ${number(total)} ${what}${total === 1 ? '' : 's'}`] : [];
  };

  const apply = () => {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean), kind = state.value;
    const filters = wanted.length > 0 || kind !== '';
    for (const row of rows)
      row.element.hidden = filters && !((kind === '' || row.kinds.includes(kind))
        && wanted.every(word => wordsOf(row).includes(word)));
    for (const group of groups) {
      const left = group.rows.some(row => !row.element.hidden);
      group.element.hidden = filters && !left;
      for (const fold of group.folds) {
        if (filters && !open.has(fold)) open.set(fold, fold.open);
        if (filters) fold.open = left;
        else if (open.has(fold)) fold.open = open.get(fold);
      }
    }
    if (!filters) open.clear();
    count.textContent = [...counted('endpoint'), ...counted('order')].join(', ');
  };

  const printed = new Map();
  addEventListener('beforeprint', () => {
    for (const details of all('details')) { printed.set(details, details.open); details.open = true; }
  });
  addEventListener('afterprint', () => {
    for (const [details, was] of printed) details.open = was;
    printed.clear();
  });
  text.addEventListener('input', apply);
  state.addEventListener('change', apply);
  panel.hidden = false;
  apply();
})();
