"""Vends once through a client that was generated from the document."""

import os
import time

from python import AuthenticatedClient
from python.api.voucher import redeem_voucher, roll_back_voucher, validate_voucher
from python.models import (
    Demand,
    Discount,
    OrderName,
    OrderRequest,
    RedeemAnswer,
    RedeemRequest,
    RollbackAnswer,
    RollbackRequest,
    ValidateAnswer,
    ValidateRequest,
)

client = AuthenticatedClient(base_url=os.environ["SCRIP_URL"], token=os.environ["SCRIP_DEVICE_KEY"])
code, device = os.environ["SCRIP_CODE_GIFT"], os.environ["SCRIP_DEVICE_ID"]
order = f"python-{time.time_ns()}"

valid = validate_voucher.sync(
    code, client=client, body=ValidateRequest(device_id=device, lock_duration=30, demand=Demand(amount=10))
)
assert isinstance(valid, ValidateAnswer) and valid.valid, valid

redeemed = redeem_voucher.sync(
    code,
    client=client,
    body=RedeemRequest(device_id=device, order=OrderRequest(id=order, amount=10), demand=Demand(amount=10)),
)
assert isinstance(redeemed, RedeemAnswer) and redeemed.redeemed, redeemed
assert isinstance(redeemed.discount, Discount) and redeemed.discount.amount_off == 10, redeemed

undone = roll_back_voucher.sync(
    code,
    client=client,
    body=RollbackRequest(device_id=device, order=OrderName(id=order), reason="vend failed"),
)
assert isinstance(undone, RollbackAnswer) and undone.rolled_back, undone
assert undone.voucher_value == valid.voucher_value, (valid, undone)

print(f"Python: {redeemed.discount.amount_off} redeemed and given back")
