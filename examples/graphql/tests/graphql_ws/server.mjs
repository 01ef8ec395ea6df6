// The server of the tests: graphql-ws on ws, as it comes. It listens on a free port of
// 127.0.0.1 and tells by lines of JSON what happens to it; the first names the port. It takes
// commands by lines, and ends with its standard input.
//
// TOKEN in the environment: the token that connection_init must carry; others are closed with
// 4401.
import { createInterface } from 'node:readline';
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const schema = buildSchema(`
  type Query { hello(name: String): String never: String }
  type Subscription { count(from: Int = 0, to: Int = 2000000000, every: Int = 2): Int }
`);

const roots = {
  query: {
    hello: ({ name }) => `hello ${name ?? 'world'}`,
    never: () => new Promise(() => {}),
  },
  subscription: {
    async *count({ from, to, every }) {
      for (let count = from; count < to; count += 1) {
        yield { count };
        await wait(every);
      }
    },
  },
};

let connections = 0;
const number = (ctx) => ctx.extra.request.number;
const hooks = {
  onConnect(ctx) {
    const { TOKEN } = process.env;
    tell({ event: 'init', connection: number(ctx), payload: ctx.connectionParams ?? null });
    if (TOKEN && ctx.connectionParams?.token !== TOKEN) {
      ctx.extra.socket.close(4401, 'Unauthorized');
      return false;
    }
    return { number: number(ctx) };
  },
  onPing: (ctx, payload) => tell({ event: 'ping', connection: number(ctx), payload }),
  onPong: (ctx, payload) => tell({ event: 'pong', connection: number(ctx), payload }),
  onSubscribe(ctx, id, payload) {
    tell({ event: 'subscribe', connection: number(ctx), id, query: payload.query });
  },
  onComplete: (ctx, id) => tell({ event: 'complete', connection: number(ctx), id }),
  onClose: (ctx, code) => tell({ event: 'close', connection: number(ctx), code }),
};

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
server.on('connection', (socket, request) => {
  connections += 1;
  request.number = connections;
  socket.on('message', (text) => tell({ event: 'heard', text: String(text) }));
});
useServer({ schema, roots, ...hooks }, server);
server.on('listening', () => tell({ event: 'listening', port: server.address().port }));

const commands = createInterface({ input: process.stdin });
commands.on('line', (line) => {
  const [command, argument] = line.split(' ');
  for (const socket of server.clients) {
    if (command === 'close') socket.close(Number(argument));
    if (command === 'terminate') socket.terminate();
    if (command === 'say') socket.send(argument);
  }
});
commands.on('close', () => process.exit(0));
