//! Campaigns and their vouchers: making them, changing them, listing them, counting them.
