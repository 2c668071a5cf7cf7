// Vends once through a client that was generated from the document.

import createClient from "openapi-fetch";
import assert from "node:assert/strict";
import type { paths } from "./schema.js";

const { SCRIP_URL, SCRIP_DEVICE_KEY, SCRIP_DEVICE_ID, SCRIP_CODE_GIFT } = process.env as Record<string, string>;

const client = createClient<paths>({
  baseUrl: SCRIP_URL,
  headers: { Authorization: `Bearer ${SCRIP_DEVICE_KEY}` },
});
const params = { path: { code: SCRIP_CODE_GIFT } };
const deviceId = SCRIP_DEVICE_ID;
const order = { id: `typescript-${Date.now()}` };
const demand = { amount: 10 };

/** Returns the answer of a request that succeeded. */
function answered<T>({ data, error }: { data?: T; error?: unknown }): T {
  assert(data, JSON.stringify(error));
  return data;
}

const valid = answered(
  await client.POST("/voucher/{code}/validate", { params, body: { deviceId, lockDuration: 30, demand } }),
);
assert(valid.valid, JSON.stringify(valid));

const redeemed = answered(
  await client.POST("/voucher/{code}/redeem", { params, body: { deviceId, order: { ...order, amount: 10 }, demand } }),
);
assert(redeemed.redeemed && redeemed.discount?.amountOff === 10, JSON.stringify(redeemed));

const undone = answered(
  await client.POST("/voucher/{code}/rollback", { params, body: { deviceId, order, reason: "vend failed" } }),
);
assert(undone.rolledBack && undone.voucherValue === valid.voucherValue, JSON.stringify(undone));

console.log(`TypeScript: ${redeemed.discount.amountOff} redeemed and given back`);
