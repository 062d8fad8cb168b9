/** The ids of the example keys in certs/: Alice's, Bob's and the mediator's. Everybody has their private halves. */
const DEMO_IDS = new Set([
  '6128847f0bb02827078b5b3b506944b32a002aaedbd985263f6037fcf1aa9318',
  '37f60d7ded7caf620399ed87df1511bd04ef1fc88eaca92e03112e8d5a3f3f67',
  '1b8c469c4748f050c42266b2c0758c74a076b274068b35dc064c0071c470cb5f',
]);

/** Whether a peer id, or a mediator's, belongs to an example key: whoever uses it proves nothing. */
export function isDemoKey(id: string): boolean {
  return DEMO_IDS.has(id);
}
