//! A voucher's own properties and those that it takes from its campaign, field by field: pure.

use crate::{
    redemption::voucher::{CampaignType, Kind},
    time::Frequency,
};

/// Properties that a voucher was given itself. It takes from its campaign what is `None` here.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct OwnProperties {
    /// Its type.
    #[sqlx(rename = "own_type")]
    pub r#type: Option<Kind>,
    /// Its value, in minor units.
    #[sqlx(rename = "own_value")]
    pub value: Option<i64>,
    /// Redemptions in a period.
    #[sqlx(rename = "own_redemption_limit")]
    pub redemption_limit: Option<i64>,
    /// The period after which counters and balance start again.
    #[sqlx(rename = "own_reset_frequency")]
    pub reset_frequency: Option<Frequency>,
    /// The zone of dates and resets.
    #[sqlx(rename = "own_time_zone")]
    pub time_zone: Option<String>,
    /// The first moment, in the client's words.
    #[sqlx(rename = "own_starts_on")]
    pub starts_on: Option<String>,
    /// The last moment, in the client's words.
    #[sqlx(rename = "own_expires_on")]
    pub expires_on: Option<String>,
    /// First line on the coupon.
    #[sqlx(rename = "own_text1")]
    pub text1: Option<String>,
    /// Second line on the coupon.
    #[sqlx(rename = "own_text2")]
    pub text2: Option<String>,
    /// Third line on the coupon.
    #[sqlx(rename = "own_text3")]
    pub text3: Option<String>,
    /// Fourth line on the coupon.
    #[sqlx(rename = "own_text4")]
    pub text4: Option<String>,
    /// The style of the coupon.
    #[sqlx(rename = "own_style")]
    pub style: Option<String>,
}

/// Properties of a campaign, for vouchers that were not given their own.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CampaignDefaults {
    /// The type of its vouchers.
    #[sqlx(rename = "campaign_type")]
    pub r#type: CampaignType,
    /// Their value, in minor units.
    #[sqlx(rename = "campaign_value")]
    pub value: i64,
    /// Redemptions of each in a period.
    #[sqlx(rename = "campaign_redemption_limit")]
    pub redemption_limit: Option<i64>,
    /// The period after which counters and balances start again.
    #[sqlx(rename = "campaign_reset_frequency")]
    pub reset_frequency: Frequency,
    /// The zone of dates and resets.
    #[sqlx(rename = "campaign_time_zone")]
    pub time_zone: String,
    /// The first moment, in the client's words.
    #[sqlx(rename = "campaign_starts_on")]
    pub starts_on: Option<String>,
    /// The last moment, in the client's words.
    #[sqlx(rename = "campaign_expires_on")]
    pub expires_on: Option<String>,
    /// First line on the coupons.
    #[sqlx(rename = "campaign_text1")]
    pub text1: Option<String>,
    /// Second line on the coupons.
    #[sqlx(rename = "campaign_text2")]
    pub text2: Option<String>,
    /// Third line on the coupons.
    #[sqlx(rename = "campaign_text3")]
    pub text3: Option<String>,
    /// Fourth line on the coupons.
    #[sqlx(rename = "campaign_text4")]
    pub text4: Option<String>,
    /// The style of the coupon.
    #[sqlx(rename = "campaign_style")]
    pub style: Option<String>,
}

impl CampaignDefaults {
    /// Returns the type of a voucher that was not given one; none in a dynamic campaign.
    pub fn kind(&self) -> Option<Kind> {
        match self.r#type {
            CampaignType::Discount => Some(Kind::Discount),
            CampaignType::Gift => Some(Kind::Gift),
            CampaignType::Dynamic => None,
        }
    }
}

impl OwnProperties {
    /// Lists the pointers of those that are given, besides the type.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("/value", self.value.is_some()),
            ("/redemptionLimit", self.redemption_limit.is_some()),
            ("/resetFrequency", self.reset_frequency.is_some()),
            ("/startsOn", self.starts_on.is_some()),
            ("/expiresOn", self.expires_on.is_some()),
            ("/timeZone", self.time_zone.is_some()),
            ("/text1", self.text1.is_some()),
            ("/text2", self.text2.is_some()),
            ("/text3", self.text3.is_some()),
            ("/text4", self.text4.is_some()),
            ("/style", self.style.is_some()),
        ];
        all.into_iter().filter_map(|(pointer, given)| given.then_some(pointer))
    }

    /// Returns what a voucher has of its own once it was asked to be as `asked`: it goes on following its
    /// campaign where it does so far and is asked for what the campaign has.
    #[must_use]
    pub fn replaced(&self, asked: Self, campaign: &CampaignDefaults) -> Self {
        Self {
            r#type: given(asked.r#type, self.r#type.as_ref(), campaign.kind().as_ref()),
            value: given(asked.value, self.value.as_ref(), Some(&campaign.value)),
            redemption_limit: given(
                asked.redemption_limit,
                self.redemption_limit.as_ref(),
                campaign.redemption_limit.as_ref(),
            ),
            reset_frequency: given(
                asked.reset_frequency,
                self.reset_frequency.as_ref(),
                Some(&campaign.reset_frequency),
            ),
            time_zone: given(asked.time_zone, self.time_zone.as_ref(), Some(&campaign.time_zone)),
            starts_on: given(asked.starts_on, self.starts_on.as_ref(), campaign.starts_on.as_ref()),
            expires_on: given(asked.expires_on, self.expires_on.as_ref(), campaign.expires_on.as_ref()),
            text1: given(asked.text1, self.text1.as_ref(), campaign.text1.as_ref()),
            text2: given(asked.text2, self.text2.as_ref(), campaign.text2.as_ref()),
            text3: given(asked.text3, self.text3.as_ref(), campaign.text3.as_ref()),
            text4: given(asked.text4, self.text4.as_ref(), campaign.text4.as_ref()),
            style: given(asked.style, self.style.as_ref(), campaign.style.as_ref()),
        }
    }

    /// Returns a copy of the campaign's terms for a voucher that follows them no more. What its coupon says
    /// it goes on taking from there.
    pub fn copied(campaign: &CampaignDefaults) -> Self {
        let campaign = campaign.clone();
        Self {
            r#type: campaign.kind(),
            value: Some(campaign.value),
            redemption_limit: campaign.redemption_limit,
            reset_frequency: Some(campaign.reset_frequency),
            time_zone: Some(campaign.time_zone),
            starts_on: campaign.starts_on,
            expires_on: campaign.expires_on,
            ..Self::default()
        }
    }
}

fn given<T: PartialEq>(asked: Option<T>, own: Option<&T>, campaigns: Option<&T>) -> Option<T> {
    asked.filter(|asked| own.is_some() || campaigns != Some(asked))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A campaign of gifts of 500 cents, once a day, until the end of 2027.
    pub(in crate::campaigns) fn campaign() -> CampaignDefaults {
        CampaignDefaults {
            r#type: CampaignType::Gift,
            value: 500,
            redemption_limit: Some(1),
            reset_frequency: Frequency::Day,
            time_zone: "Europe/Amsterdam".to_owned(),
            starts_on: None,
            expires_on: Some("2027-12-31".to_owned()),
            text1: Some("Cheers".to_owned()),
            text2: None,
            text3: None,
            text4: None,
            style: Some("{}".to_owned()),
        }
    }

    #[test]
    fn what_equals_the_campaigns_goes_on_following_it() {
        let campaign = campaign();
        let as_read = OwnProperties {
            text1: campaign.text1.clone(),
            style: campaign.style.clone(),
            ..OwnProperties::copied(&campaign)
        };
        assert_eq!(OwnProperties::default().replaced(as_read.clone(), &campaign), OwnProperties::default());
        assert_eq!(as_read.replaced(as_read.clone(), &campaign), as_read, "its own stays its own");
        let absent = OwnProperties::default();
        assert_eq!(as_read.replaced(absent.clone(), &campaign), absent, "what is absent follows");
        let asked = OwnProperties { redemption_limit: Some(2), ..as_read };
        let own = OwnProperties { redemption_limit: Some(2), ..OwnProperties::default() };
        assert_eq!(OwnProperties::default().replaced(asked, &campaign), own);
    }
}
