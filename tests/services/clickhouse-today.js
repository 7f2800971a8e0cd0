// Today's ClickHouse engine (npm chdb, in this process) behind the part of ClickHouse's HTTP interface that is used here: POST /?query=…&setting=…, user and key
// in headers, errors with X-ClickHouse-Exception-Code, /ping. Statements run one after the other. What it lacks of a server: query ids, several users, streaming.
//   node clickhouse-today.js DIR/   reads DIR/env, keeps data in DIR/data
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');
const { Session, drainPending } = require('chdb');

const dir = process.argv[2];
const env = Object.fromEntries(fs.readFileSync(path.join(dir, 'env'), 'utf8').trim().split('\n').map(line => line.split(/=(.*)/s).slice(0, 2)));
let session = new Session(path.join(dir, 'data'));
// Settings of HTTP itself; the engine does not know them.
const ofHttp = new Set(['query', 'query_id', 'database', 'wait_end_of_query', 'default_format']);
let last = Promise.resolve();

const errors = { 516: 403, 497: 403, 60: 404, 81: 404, 62: 400, 47: 404, 16: 404, 115: 404 };

async function run(url, body) {
  const settings = [...url.searchParams].filter(([name]) => !ofHttp.has(name))
    .map(([name, value]) => `${name} = ${/^-?\d+$/.test(value) ? value : `'${value.replace(/[\\']/g, '\\$&')}'`}`).join(', ');
  const query = url.searchParams.get('query');
  if (query === null) {
    const sql = body.toString('utf8');
    const set = settings && /^\s*select/i.test(sql) ? sql.replace(/\s+format\s+\w+\s*$/i, format => ` SETTINGS ${settings}${format}`) : sql;
    return Buffer.from((await session.queryAsync(set, { format: 'TabSeparated' })).bytes());
  }
  const insert = /^(insert\s+into[^]*?)\s+format\s+(\w+)\s*$/i.exec(query);
  if (!insert) throw new Error('Code: 62. DB::Exception: only INSERT … FORMAT may stand in the address');
  // An empty one has nothing to parse, as on a server.
  if (body.length === 0) return Buffer.alloc(0);
  // Through a file: data behind a statement would end at the first blank line in them.
  const file = path.join(dir, 'insert.bin');
  fs.writeFileSync(file, body);
  try {
    await session.queryAsync(`${insert[1]} FROM INFILE '${file}'${settings ? ` SETTINGS ${settings}` : ''} FORMAT ${insert[2]}`);
  } catch (error) {
    // A refused insert leaves its packets on the connection, for the next statement to find.
    session.close();
    await drainPending();
    session = new Session(path.join(dir, 'data'));
    throw error;
  }
  return Buffer.alloc(0);
}

http.createServer((request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (url.pathname === '/ping') return void response.end('Ok.\n');
  const chunks = [];
  request.on('data', chunk => chunks.push(chunk));
  request.on('end', () => {
    const fail = text => {
      const code = Number(/Code: (\d+)/.exec(text)?.[1] ?? 1002);
      response.writeHead(errors[code] ?? 500, { 'X-ClickHouse-Exception-Code': String(code), 'Content-Type': 'text/plain; charset=UTF-8' });
      response.end(text + '\n');
    };
    if (request.headers['x-clickhouse-user'] !== env.CLICKHOUSE_USER || request.headers['x-clickhouse-key'] !== env.CLICKHOUSE_PASSWORD) {
      return fail(`Code: 516. DB::Exception: ${request.headers['x-clickhouse-user']}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)`);
    }
    last = last.then(() => run(url, Buffer.concat(chunks))).then(
      out => response.end(out),
      error => fail(String(error.message ?? error).replace(/^.*?(?=Code: \d+)/s, '')));
  });
}).listen(Number(new URL(env.CLICKHOUSE_ENDPOINT).port), '127.0.0.1');

process.on('SIGTERM', () => last.then(() => { session.close(); process.exit(0); }));
