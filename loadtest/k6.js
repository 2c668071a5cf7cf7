// The voucher verbs by k6: a second opinion on what loadtest/load measures. loadtest/k6.sh sets all of it up.
//
// LOAD_SCENARIO  validate, validate-lock, redeem, redeem-hot or mixed
// LOAD_SECONDS   how long
// LOAD_RATE      requests a second at fixed instants; without it, each connection asks as soon as it is answered
// LOAD_CONNECTIONS, and LOAD_CODES, LOAD_HOT, LOAD_POOR: files that `load prepare` writes
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';
import { SharedArray } from 'k6/data';
import { Trend } from 'k6/metrics';

const rate = Number(__ENV.LOAD_RATE || 0);
const seconds = Number(__ENV.LOAD_SECONDS || 10);
const connections = Number(__ENV.LOAD_CONNECTIONS || 64);
const url = __ENV.SCRIP_URL;
const list = (name) => (__ENV[name] || '').split(',').filter((item) => item !== '');
const devices = list('SCRIP_DEVICE_IDS');
const keys = list('SCRIP_DEVICE_KEYS');
if (devices.length === 0) throw new Error('SCRIP_DEVICE_IDS is not set');
if (keys.length > 0 && keys.length !== devices.length) {
    throw new Error('SCRIP_DEVICE_KEYS needs a key for each of SCRIP_DEVICE_IDS');
}

const codes = new SharedArray('codes', () => open(__ENV.LOAD_CODES).trim().split('\n'));
const hot = open(__ENV.LOAD_HOT).trim();
const poor = open(__ENV.LOAD_POOR).trim();

// How late k6 itself was, in whole milliseconds: its clock has no finer ones.
const lateness = new Trend('lateness', true);

const order = (id) => ({ id, amount: 250 });
const says = (status, words) => (answer) => answer.status === status && answer.body.includes(words);
const valid = says(200, '"valid":true');
const redeemed = says(200, '"redeemed":true');

// What is sent, and what must be answered.
const verbs = {
    validate: { path: 'validate', body: () => ({}), meant: valid },
    'validate-lock': { path: 'validate', body: () => ({ lockDuration: 30 }), meant: valid },
    redeem: { path: 'redeem', body: (id) => ({ order: order(id) }), meant: redeemed },
    'redeem-hot': {
        path: 'redeem', code: () => hot, body: (id) => ({ order: order(id), demand: { amount: 1 } }), meant: redeemed,
    },
    'redeem-poor': {
        path: 'redeem', code: () => poor, body: (id) => ({ order: order(id), demand: { amount: 100 } }),
        meant: says(200, '"redeemed":false'),
    },
    guess: {
        path: 'validate', code: () => `GUESS-${Math.floor(Math.random() * 1e8)}`, body: () => ({}),
        meant: (answer) => answer.status === 404 || answer.status === 429,
    },
};

const mixed = [['validate-lock', 0.7], ['redeem', 0.25], ['redeem-poor', 0.03], ['guess', 0.02]];
const name = __ENV.LOAD_SCENARIO || 'mixed';
const shares = name === 'mixed' ? mixed : [[name, 1]];
if (shares.some(([verb]) => !(verb in verbs))) throw new Error(`no scenario is called ${name}`);

const closed = { executor: 'constant-vus', vus: connections };
// Were all connections waiting, k6 would leave requests out, and say how many (`dropped_iterations`).
const paced = { executor: 'constant-arrival-rate', rate, timeUnit: '1s', preAllocatedVUs: connections };

const thresholds = { checks: ['rate==1'] };
if (rate) thresholds.dropped_iterations = ['count==0'];
// k6 prints a verb's own latencies only if they have a threshold.
for (const [verb] of shares) thresholds[`http_req_duration{verb:${verb}}`] = ['max>=0'];

export const options = {
    scenarios: { [name]: { ...(rate ? paced : closed), duration: `${seconds}s`, gracefulStop: '10s' } },
    thresholds,
    summaryTrendStats: ['med', 'p(99)', 'p(99.9)', 'max', 'count'],
};

function pick() {
    let left = Math.random();
    for (const [verb, share] of shares) {
        left -= share;
        if (left < 0) return verb;
    }
    return shares[0][0];
}

// Machines show their own keys, or all share a user's token.
export function setup() {
    const run = Math.random().toString(36).slice(2, 10);
    if (keys.length > 0) return { run, tokens: keys };
    let token = __ENV.SCRIP_TOKEN;
    if (!token) {
        const login = { username: __ENV.SCRIP_USER, password: __ENV.SCRIP_PASSWORD };
        const answer = http.post(`${url}/auth/login`, JSON.stringify(login), {
            headers: { 'content-type': 'application/json' }, tags: { verb: 'login' },
        });
        if (answer.status !== 201) throw new Error(`the log-in was answered ${answer.status}`);
        token = answer.json('access_token');
    }
    return { run, tokens: devices.map(() => token) };
}

export default function ({ run, tokens }) {
    const nth = exec.scenario.iterationInTest;
    if (rate) lateness.add(Math.max(0, Date.now() - (exec.scenario.startTime + (nth * 1000) / rate)));
    // A device keeps to its own share of the codes: no lock of another stands in its way.
    const device = exec.vu.idInTest % devices.length;
    const own = Math.floor((codes.length - 1 - device) / devices.length) + 1;
    const code = codes[own > 0 ? device + devices.length * Math.floor(Math.random() * own) : 0];

    const verb = pick();
    const { path, body, meant, code: other } = verbs[verb];
    const request = JSON.stringify({ deviceId: devices[device], ...body(`${run}-${nth}`) });
    const answer = http.post(`${url}/voucher/${other ? other() : code}/${path}`, request, {
        headers: { 'content-type': 'application/json', authorization: `Bearer ${tokens[device]}` },
        tags: { name: path, verb },
        timeout: '10s',
        responseCallback: http.expectedStatuses(200, ...(verb === 'guess' ? [404, 429] : [])),
    });
    check(answer, { [`${verb} is answered as meant`]: meant }, { verb });
}
