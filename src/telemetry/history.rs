//! What machines did, row by row: sales, payments and events.
//!
//! There can be years of rows, so what stands under `lists` below has an index: see docs/lists.md. The rest is looked
//! for row by row, within the time limit of a look-up.

use crate::{
    fleet::{
        location::Location,
        machine::Machine,
        payments::{PaymentMethod, PaymentType},
    },
    http::list::Kind,
    resource::{FieldType, Flag, Ref, field::LocalTime, resource},
};
use chrono::{DateTime, Utc};
use utoipa::openapi::Schema;

resource! {
    /// A sale.
    RevenueTransaction "revenue transaction" at "/revenuetransaction" in "revenue_transaction";
    area "revenuetransaction";
    ever "revenue_transaction_ever";
    may TransactionRead, TransactionRead;
    reach Own;
    does READ;
    lists {
        /// The machine that sold.
        machine: Ref<Machine>,
        /// Where it stood then.
        location: Ref<Location>,
        /// When, by the clock at the location.
        #[eg("\"2026-02-06T07:06:17+01:00\"")]
        occurred_at: LocalTime,
    }
    shows {
        /// The machine's own number of it; none of a sale that was worked out from an audit.
        remote: Option<i64>,
        /// What was sold, if it is known here.
        product: Option<i64>,
        /// What that was called.
        name: String,
        /// What other systems call it.
        internal_ref: Option<String>,
        /// Its barcode.
        barcode: Option<String>,
        /// The time zone of the location then.
        time_zone: String,
        /// When, in seconds since 1970.
        timestamp: i64 = "floor(extract(epoch FROM this.occurred_at))::bigint",
        /// The price without discounts, in minor units.
        original_price: i64,
        /// What was paid, in minor units.
        price: i64,
        /// The currency (ISO 4217) of both.
        currency: String,
        /// Who bought, if a key, a chip or an app said so.
        token: Option<String>,
        /// The kind of sale that the machine calls it.
        salestype: Option<i64>,
        /// The machine's price list that it was sold by.
        pricelist: Option<i64>,
        /// How many payments it was paid with.
        num_payment_transactions: i64,
        /// Whose the machine was then.
        #[named("usergroup")]
        user_group: i64,
    }
    backward { paymenttransactions: PaymentTransaction = "this.revenuetransaction" }
}

resource! {
    /// A payment: all or a part of what a sale was paid with.
    PaymentTransaction "payment transaction" at "/paymenttransaction" in "payment_transaction";
    area "paymenttransaction";
    ever "payment_transaction_ever";
    may TransactionRead, TransactionRead;
    reach Own;
    does READ;
    lists {
        /// What was paid for, if it is a sale that is known.
        revenuetransaction: Option<i64>,
        /// The machine that was paid.
        machine: i64,
        /// Where it stood then.
        location: i64,
        /// When, by the clock at the location.
        #[eg("\"2026-02-06T07:06:17+01:00\"")]
        occurred_at: LocalTime,
    }
    shows {
        /// The time zone of the location then.
        time_zone: String,
        /// How it was paid.
        method: PaymentMethod,
        /// What reports show it as.
        #[named("type")]
        shown_as: PaymentType = "this.type",
        /// How much, in minor units; negative where money was given back.
        price: i64,
        /// Its currency (ISO 4217).
        currency: String,
        /// Whether reports leave it out.
        exclude: Flag,
        /// What reports group it under.
        report_group: Option<String>,
    }
}

resource! {
    /// Something that happened to a machine: a message, or an issue or alarm, which lasts until it is
    /// resolved.
    Log "event" at "/log" in "machine_log";
    area "log";
    ever "machine_log_ever";
    may TransactionRead, TransactionRead;
    reach Own;
    does READ;
    lists {
        /// The machine.
        machine: i64,
        /// Where it stood then.
        location: i64,
        /// What the machine calls it.
        code: String,
        /// What that is, if it is known here.
        error_identity: Option<i64>,
        /// 1: a message; 2: an issue; 3: an alarm.
        #[named("type")]
        level: EventType = "this.type",
        /// When, by the clock at the location.
        #[eg("\"2026-03-12T05:36:58+01:00\"")]
        occurred_at: LocalTime,
    }
    shows {
        /// The machine's own number of it; none of what was noticed here.
        remote: Option<i64>,
        /// Whether it lasts until it is resolved.
        is_resolvable: bool = "(this.type > 1)",
        /// The time zone of the location then.
        time_zone: String,
        /// Seconds that it lasted, once that is known.
        duration: Option<i64>,
        /// Whatever else the machine told.
        extra_data: Option<String>,
        /// When, in seconds since 1970.
        date: i64 = "floor(extract(epoch FROM this.occurred_at))::bigint",
        /// The same.
        timestamp: i64 = "floor(extract(epoch FROM this.occurred_at))::bigint",
        /// When it was resolved.
        resolved_at: Option<DateTime<Utc>>,
        /// `open` or `resolved`; none of a message.
        state: Option<String> = "CASE WHEN this.type = 1 THEN NULL WHEN this.resolved_at IS NULL THEN 'open' ELSE 'resolved' END",
    }
}

/// How bad an event is.
pub struct EventType;

impl FieldType for EventType {
    type Shown = i64;
    const KIND: Option<Kind> = Some(Kind::Int);

    fn takes() -> Schema {
        i64::takes()
    }

    fn select(sql: &str) -> String {
        format!("{sql}::bigint")
    }
}
