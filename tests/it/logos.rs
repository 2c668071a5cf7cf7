//! The logo on a campaign's coupons: how it is sent, what is refused, and who may.

use crate::{
    app::TestApp,
    client::{Client, Reply},
    images::{FORM, base64, file, form},
    world,
};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use image::ImageFormat;
use serde_json::{Value, json};

const SVG: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'>
    <circle cx='9' cy='9' r='9' fill='#ff0000'/></svg>";

fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    file(width, height, 200, format)
}

/// A campaign, and who looks after it.
struct Campaign<'a> {
    user: &'a Client,
    id: i64,
}

impl<'a> Campaign<'a> {
    async fn new(user: &'a Client) -> Self {
        let draft = json!({"name": "Spring", "type": "discount", "voucherValue": 50, "totalVouchers": 0});
        let id = user.post("/campaign", draft).await.expect(201)["id"].as_i64().unwrap();
        Self { user, id }
    }

    fn path(&self) -> String {
        format!("/campaign/{}/logo", self.id)
    }

    /// Sends the logo as the body itself.
    async fn send(&self, content_type: &str, body: impl Into<Body>) -> Reply {
        let request = Request::builder().method(Method::PUT).uri(self.path());
        self.user
            .send_raw(request.header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap())
            .await
    }

    /// Sends the logo in JSON.
    async fn put(&self, image: Value) -> Reply {
        self.user.put(&self.path(), json!({ "image": image })).await
    }

    /// The image on the coupons.
    async fn logo(&self) -> Option<i64> {
        let campaign = self.user.get(&format!("/campaign/{}", self.id)).await.expect(200);
        campaign["voucherLogoImg"].as_i64()
    }

    /// What the image on the coupons is served as.
    async fn served(&self) -> Reply {
        let reply = self.user.get(&format!("/image/{}", self.logo().await.unwrap())).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply
    }
}

#[tokio::test]
async fn a_logo_comes_as_a_body_as_a_form_and_in_json() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let campaign = Campaign::new(&user).await;
    assert_eq!(campaign.logo().await, None);
    for (sent, format, stored) in [
        ("image/png", ImageFormat::Png, "image/png"),
        ("image/jpeg", ImageFormat::Jpeg, "image/jpeg"),
        ("IMAGE/GIF; charset=x", ImageFormat::Gif, "image/png"),
        ("image/webp", ImageFormat::WebP, "image/jpeg"),
    ] {
        let answer = campaign.send(sent, picture(30, 20, format)).await.expect(200);
        assert_eq!(answer["message"], "logo updated");
        assert_eq!(campaign.served().await.headers[header::CONTENT_TYPE], stored);
    }
    campaign.send("image/svg+xml", SVG).await.expect(200);
    assert!(campaign.served().await.text().contains("#ff0000"));
    campaign.send(FORM, form(&[("image", &picture(31, 21, ImageFormat::Png))])).await.expect(200);
    assert_eq!(image::load_from_memory(&campaign.served().await.body).unwrap().width(), 31);
    campaign.send(FORM, form(&[("image", SVG.as_bytes())])).await.expect(200);
    assert_eq!(campaign.served().await.headers[header::CONTENT_TYPE], "image/svg+xml");
    campaign.put(json!(base64(picture(32, 22, ImageFormat::Png)))).await.expect(200);
    assert_eq!(image::load_from_memory(&campaign.served().await.body).unwrap().width(), 32);
    // The bytes tell what it is, whatever is said.
    campaign.put(json!(format!("data:image/png;base64,{}", base64(SVG)))).await.expect(200);
    assert_eq!(campaign.served().await.headers[header::CONTENT_TYPE], "image/svg+xml");
    let patched = user.patch(&campaign.path(), json!({"image": null})).await.expect(200);
    assert_eq!(patched["message"], "logo removed");
    assert_eq!(campaign.logo().await, None);

    let image = picture(1, 1, ImageFormat::Png);
    campaign.send(FORM, form(&[])).await.expect_problem(422, "/image");
    campaign.send(FORM, form(&[("image", b"")])).await.expect_problem(422, "/image");
    campaign.send(FORM, form(&[("image", &image), ("image", &image)])).await.expect_problem(422, "/image");
    campaign.send(FORM, form(&[("original", &image)])).await.expect_problem(422, "/original");
    campaign.send("image/png", Body::empty()).await.expect_problem(422, "/image");
    for other in ["image/tiff", "image/", "text/plain", "application/pdf", "text/html"] {
        let told = campaign.send(other, image.clone()).await.expect(415)["detail"].clone();
        assert!(told.as_str().unwrap().contains("PNG, JPEG, GIF, WebP or SVG"), "{other}: {told}");
    }
    // As the camera of a telephone has it, and told alike where it comes as something else.
    let heic = b"\0\0\0\x1cftypheic";
    campaign.send("image/heic", heic.to_vec()).await.expect(415);
    campaign.send("image/png", heic.to_vec()).await.expect_problem(422, "/image");
    let told = campaign.put(json!(base64(heic))).await.expect(422)["errors"][0]["detail"].clone();
    assert!(told.as_str().unwrap().contains("PNG, JPEG, GIF, WebP or SVG"), "{told}");
    for body in
        [json!({}), json!({"image": ""}), json!({"image": true}), json!({"image": 1.5}), json!({"image": []})]
    {
        user.put(&campaign.path(), body).await.expect_problem(422, "/image");
    }
    user.put(&campaign.path(), json!({"image": null, "size": 1})).await.expect_problem(422, "/size");
    user.put(&campaign.path(), json!([])).await.expect_problem(422, "");
    campaign
        .send("application/json", r#"{"image":18446744073709551615}"#)
        .await
        .expect_problem(422, "/image");
    campaign.send("application/json", r#"{"image":1e400}"#).await.expect_problem(422, "/image");
    campaign.send("application/json", "{").await.expect_problem(400, "");
    user.put("/campaign/x/logo", json!({"image": null})).await.expect_problem(400, "/id");
    assert_eq!(campaign.logo().await, None);
}

#[tokio::test]
async fn a_drawing_is_served_as_one_that_may_do_nothing() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let campaign = Campaign::new(&user).await;
    let sent = SVG.replace("<circle", "<!-- by Ann --><circle data-owner='Ann'");
    campaign.send("image/svg+xml", sent).await.expect(200);
    let reply = campaign.served().await;
    for (name, value) in [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ] {
        assert_eq!(reply.headers[&name], value, "{name}");
    }
    assert!(!reply.text().contains("Ann"), "{}", reply.text());
    let path = format!("/image/{}", campaign.logo().await.unwrap());
    let small = user.get(&format!("{path}?size=thumbnail")).await;
    assert_eq!(small.body, reply.body, "a drawing is as good when it is small");
    user.put(&path, json!({"thumbnail": null})).await.expect(200);
    assert_eq!(user.get(&format!("{path}?size=thumbnail")).await.body, reply.body);
    // It is taken as a logo alone.
    user.post("/image", json!({"original": base64(SVG)})).await.expect_problem(422, "/original");
    user.put(&path, json!({"original": base64(SVG)})).await.expect_problem(422, "/original");
    let size = sqlx::query_as::<_, (i32, i32)>("SELECT DISTINCT width, height FROM image_rendition");
    assert_eq!(size.fetch_all(&test.app.db).await.unwrap(), [(40, 20)]);
}

/// The drawing with something more in it.
fn within(inner: &str) -> Vec<u8> {
    SVG.replace("<circle", &format!("{inner}<circle")).into_bytes()
}

/// What could do harm as a logo, and what it is.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let png = picture(50, 50, ImageFormat::Png);
    let mut wall = png.clone();
    wall[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let level = |level: usize| {
        let inner = format!("<use href='#a{}'/>", level - 1).repeat(10);
        format!("<g id='a{level}'>{inner}</g>")
    };
    let bomb = "<g id='a0'><path d='M0 0h1v1z'/></g>".to_owned() + &(1..9).map(level).collect::<String>();
    let entities = "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;'>]>";
    vec![
        ("a wall of pixels", wall),
        ("too many pixels", picture(101, 100, ImageFormat::Png)),
        ("half a picture", png[..png.len() / 2].to_vec()),
        ("half a drawing", SVG.as_bytes()[..SVG.len() / 2].to_vec()),
        ("a page", b"<!doctype html><script>alert(1)</script>".to_vec()),
        ("a page without a doctype", b"<html><body onload='x()'></body></html>".to_vec()),
        ("a PDF", b"%PDF-1.7\n".to_vec()),
        ("a PDF that begins as a drawing", b"<?xml version='1.0'?>%PDF-1.7".to_vec()),
        ("a packed drawing", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
        ("a drawing in UTF-16", SVG.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("entities", [entities.as_bytes(), &within("<desc>&b;</desc>")].concat()),
        ("a script", within("<script>alert(1)</script>")),
        ("a handler", within("<g onload='alert(1)'/>")),
        ("a page inside", within("<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>")),
        ("a file", within("<use xmlns:x='http://www.w3.org/1999/xlink' x:href='file:///etc/passwd#a'/>")),
        ("an address", within("<rect fill='url(https://example.com/#a)'/>")),
        ("a style from elsewhere", within("<style>@import 'https://example.com/a.css';</style>")),
        ("a picture", within(&format!("<image href='data:image/png;base64,{}'/>", base64(&png)))),
        ("text", within("<text>Hi</text>")),
        ("a filter", within("<g filter='url(#f)'/>")),
        ("an animation", within("<animate attributeName='x'/>")),
        ("a bomb", within(&bomb)),
        ("too deep", within(&("<g>".repeat(5_000) + &"</g>".repeat(5_000)))),
        (
            "too deep for a PDF",
            within(&("<g transform='rotate(1)'><path d='M0 0h1v1'/>".repeat(50) + &"</g>".repeat(50))),
        ),
        ("a drawing behind a drawing", SVG.repeat(2).into_bytes()),
        ("nothing", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>".to_vec()),
        ("a strip", SVG.replace("'40'", "'900'").into_bytes()),
    ]
}

#[tokio::test]
async fn what_could_do_harm_is_refused_and_changes_nothing() {
    let test = TestApp::builder().config(|config| config.image_max_pixels = 10_000).build().await;
    let user = test.user("a").await;
    let campaign = Campaign::new(&user).await;
    campaign.send("image/svg+xml", SVG).await.expect(200);
    let before = campaign.logo().await;

    for (what, bytes) in hostile() {
        for reply in [
            campaign.send("image/png", bytes.clone()).await,
            campaign.send(FORM, form(&[("image", &bytes)])).await,
            campaign.put(json!(base64(&bytes))).await,
        ] {
            assert_eq!(reply.status, 422, "{what}: {}", reply.text());
            reply.expect_problem(422, "/image");
        }
    }
    for text in
        ["x!".repeat(5_000), "a\0b".to_owned(), "\u{202e}abc".to_owned(), "data:image/png,abcd".to_owned()]
    {
        campaign.put(json!(text)).await.expect_problem(422, "/image");
    }
    assert_eq!(campaign.logo().await, before);
    assert!(campaign.served().await.text().contains("#ff0000"));
    let png = picture(5, 5, ImageFormat::Png);
    // What hangs on to a picture is left behind.
    let polyglot = [&png[..], b"<script>alert(1)</script>"].concat();
    campaign.send("image/png", polyglot).await.expect(200);
    assert!(!campaign.served().await.text().contains("script"));
}

#[tokio::test]
async fn a_limit_is_named_by_what_it_is_in_force_for() {
    let small = TestApp::builder().config(|config| {
        config.image_max_bytes = 200_000;
        config.drawing_max_bytes = 50_000;
    });
    let test = small.build().await;
    let user = test.user("a").await;
    let campaign = Campaign::new(&user).await;
    let told = async |reply: Reply| reply.expect(413)["detail"].as_str().unwrap().to_owned();
    let long = within(&"<g/>".repeat(12_500));
    assert_eq!(
        told(campaign.send("image/svg+xml", long.clone()).await).await,
        "the drawing is larger than 50000 bytes"
    );
    assert_eq!(told(campaign.put(json!(base64(long))).await).await, "the drawing is larger than 50000 bytes");
    let long = vec![0; 200_001];
    assert_eq!(
        told(campaign.send("image/png", long.clone()).await).await,
        "the image is larger than 200000 bytes"
    );
    assert_eq!(
        told(campaign.send(FORM, form(&[("image", &long)])).await).await,
        "the image is larger than 200000 bytes"
    );
    assert_eq!(
        told(campaign.send("image/png", vec![0; 400_001]).await).await,
        "the body is larger than 400000 bytes"
    );
    assert_eq!(campaign.logo().await, None);
}

#[tokio::test]
async fn what_was_sent_as_a_logo_goes_with_the_last_that_shows_it() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let (one, other) = (Campaign::new(&user).await, Campaign::new(&user).await);
    let all = async || {
        let ids = sqlx::query_scalar::<_, i64>("SELECT id FROM image ORDER BY id");
        ids.fetch_all(&test.app.db).await.unwrap()
    };
    let others = all().await;
    let images =
        async || all().await.into_iter().filter(|image| !others.contains(image)).collect::<Vec<i64>>();
    one.send("image/svg+xml", SVG).await.expect(200);
    let first = one.logo().await.unwrap();
    let refused = user.delete(&format!("/image/{first}")).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().contains(&format!("campaign {}", one.id)), "{refused}");
    one.send("image/svg+xml", SVG).await.expect(200);
    let second = one.logo().await.unwrap();
    assert_eq!(images().await, [second]);
    // What something else shows stays.
    other.put(json!(second)).await.expect(200);
    one.put(json!(second)).await.expect(200);
    one.put(Value::Null).await.expect(200);
    assert_eq!((one.logo().await, other.logo().await, images().await), (None, Some(second), vec![second]));
    user.delete(&format!("/campaign/{}", other.id)).await.expect(200);
    assert_eq!(images().await, [0i64; 0]);
    // As does what was not sent as a logo.
    let kept = user.post("/image", json!({"original": base64(picture(3, 3, ImageFormat::Png))})).await;
    let kept = kept.expect(201)["id"].as_i64().unwrap();
    one.put(json!(kept)).await.expect(200);
    assert_eq!(one.logo().await, Some(kept));
    one.put(Value::Null).await.expect(200);
    assert_eq!(images().await, [kept]);
    user.delete(&format!("/image/{kept}")).await.expect(200);
    one.put(json!(kept)).await.expect_problem(422, "/image");
    one.put(json!(-1)).await.expect_problem(422, "/image");
}

#[tokio::test]
async fn a_logo_is_set_by_the_campaign_s_group_and_those_above() {
    let test = TestApp::new().await;
    let [root, a, a1, b] =
        [test.user("root").await, test.user("a").await, test.user("a1").await, test.user("b").await];
    let campaign = Campaign::new(&a).await;
    for stranger in [&a1, &b] {
        let theirs = Campaign { user: stranger, id: campaign.id };
        theirs.send("image/svg+xml", SVG).await.expect(404);
        theirs.send("image/svg+xml", "<svg/>").await.expect(404);
        theirs.put(Value::Null).await.expect(404);
    }
    root.put("/campaign/999999/logo", json!({"image": null})).await.expect(404);
    // It is the campaign's group's, whoever sends it.
    Campaign { user: &root, id: campaign.id }.send("image/svg+xml", SVG).await.expect(200);
    assert_eq!(campaign.served().await.headers[header::CONTENT_TYPE], "image/svg+xml");
    a.put(&format!("/image/{}", campaign.logo().await.unwrap()), json!({})).await.expect(200);

    let image = async |user: &Client| {
        let draft = json!({"original": base64(picture(3, 3, ImageFormat::Png))});
        user.post("/image", draft).await.expect(201)["id"].as_i64().unwrap()
    };
    let theirs = image(&b).await;
    campaign.put(json!(theirs)).await.expect_problem(422, "/image");
    Campaign { user: &root, id: campaign.id }.put(json!(theirs)).await.expect_problem(422, "/image");
    for shared in [image(&root).await, image(&a).await] {
        campaign.put(json!(shared)).await.expect(200);
        assert_eq!(campaign.logo().await, Some(shared));
    }

    let reader =
        test.bearer(world::key(&test.app.db, world::A, None, &["campaign.read", "fleet.write"]).await);
    Campaign { user: &reader, id: campaign.id }.send("image/svg+xml", SVG).await.expect(403);
    let writer = test.bearer(world::key(&test.app.db, world::A, None, &["campaign.write"]).await);
    Campaign { user: &writer, id: campaign.id }.send("image/svg+xml", SVG).await.expect(200);
    let anyone = Campaign { user: &test.anyone(), id: campaign.id };
    anyone.send("image/svg+xml", SVG).await.expect(401);
}
