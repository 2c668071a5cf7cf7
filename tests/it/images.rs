//! Images: what is taken in, what is given back, and to whom.

use crate::{app::TestApp, client::Client, client::Reply, world};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future::join_all;
use image::{DynamicImage, ImageBuffer, ImageFormat, Rgb};
use serde_json::{Value, json};
use std::io::Cursor;

/// An image in one colour.
pub fn file(width: u32, height: u32, red: u8, format: ImageFormat) -> Vec<u8> {
    let pixels: DynamicImage = ImageBuffer::from_pixel(width, height, Rgb([red, 0, 0])).into();
    let mut bytes = Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png(width: u32, height: u32, red: u8) -> Vec<u8> {
    file(width, height, red, ImageFormat::Png)
}

/// Bytes as JSON has them.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// A body of JSON with this original, and the thumbnail made of it.
fn draft(original: impl AsRef<[u8]>) -> Value {
    json!({"original": base64(original), "thumbnail": ""})
}

async fn stored(client: &Client, body: Value) -> String {
    let id = client.post("/image", body).await.expect(201)["id"].as_i64().unwrap();
    format!("/image/{id}")
}

/// Width, height and redness of what an address serves.
async fn seen(client: &Client, path: &str) -> (u32, u32, u8) {
    let reply = client.get(path).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let pixels = image::load_from_memory(&reply.body).unwrap().into_rgb8();
    (pixels.width(), pixels.height(), pixels.get_pixel(0, 0)[0])
}

async fn send(client: &Client, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Reply {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, content_type);
    client.send_raw(request.body(Body::from(body)).unwrap()).await
}

/// The type of a [`form`].
pub const FORM: &str = "multipart/form-data; boundary=line";

/// A form of files with these names.
pub fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in parts {
        let head =
            format!("--line\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n");
        body.extend([head.as_bytes(), bytes, b"\r\n"].concat());
    }
    body.extend(b"--line--\r\n");
    body
}

#[tokio::test]
async fn an_image_is_served_as_what_it_is() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let path = stored(&user, draft(file(400, 100, 200, ImageFormat::Jpeg))).await;
    let reply = user.get(&path).await;
    assert_eq!(reply.status, 200);
    let tag = reply.headers[header::ETAG].to_str().unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 66, "{tag}");
    for (name, value) in [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CONTENT_DISPOSITION, "inline"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        assert_eq!(reply.headers[&name], value, "{name}");
    }
    assert_eq!(seen(&user, &format!("{path}?size=thumbnail")).await.0, 256);
    assert_eq!(seen(&user, &format!("{path}?size=original")).await.0, 400);
    user.get(&format!("{path}?size=huge")).await.expect_problem(400, "/size");
    user.get(&format!("{path}?colour=red")).await.expect_problem(400, "/colour");

    let again = async |tag: &str, path: &str| {
        let request = Request::get(path).header(header::IF_NONE_MATCH, tag).body(Body::empty()).unwrap();
        user.send_raw(request).await
    };
    let unchanged = again(&tag, &path).await;
    assert_eq!(unchanged.status, 304);
    assert_eq!(unchanged.headers[header::ETAG], tag.as_str());
    assert!(unchanged.body.is_empty());
    assert_eq!(again(&tag, &format!("{path}?size=thumbnail")).await.status, 200, "it is another file");
    user.put(&path, json!({"original": base64(png(9, 9, 1))})).await.expect(200);
    let changed = again(&tag, &path).await;
    assert_eq!(
        (changed.status.as_u16(), &changed.headers[header::CONTENT_TYPE]),
        (200, &"image/png".parse().unwrap())
    );
}

#[tokio::test]
async fn an_image_is_taken_as_text_and_as_a_file() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let url = format!("data:image/gif;base64,{}", base64(png(10, 20, 30)));
    let path = stored(&user, json!({"original": url, "thumbnail": base64(png(300, 5, 7))})).await;
    assert_eq!(seen(&user, &path).await, (10, 20, 30));
    assert_eq!(seen(&user, &format!("{path}?size=thumbnail")).await, (256, 4, 7));

    let files = form(&[("thumbnail", b""), ("original", &png(11, 21, 31))]);
    let reply = send(&user, Method::POST, "/v1/image", FORM, files).await;
    let path = format!("/image/{}", reply.expect(201)["id"]);
    assert_eq!(seen(&user, &path).await, (11, 21, 31));
    let files = form(&[("original", &png(12, 22, 32)), ("thumbnail", &png(2, 2, 2))]);
    send(&user, Method::PUT, &path, FORM, files).await.expect(200);
    assert_eq!(seen(&user, &path).await, (12, 22, 32));
    assert_eq!(seen(&user, &format!("{path}?size=thumbnail")).await, (2, 2, 2));

    let image = png(1, 1, 1);
    let post = async |content_type, body| send(&user, Method::POST, "/image", content_type, body).await;
    post(FORM, form(&[])).await.expect_problem(422, "/original");
    post(FORM, form(&[("thumbnail", &image)])).await.expect_problem(422, "/original");
    post(FORM, form(&[("original", b"")])).await.expect_problem(422, "/original");
    post(FORM, form(&[("original", &image), ("original", &image)])).await.expect_problem(422, "/original");
    post(FORM, form(&[("original", &image), ("a/b", &image)])).await.expect_problem(422, "/a~1b");
    post(FORM, form(&[("original", b"<svg/>")])).await.expect_problem(422, "/original");
    let whole = form(&[("original", &image)]);
    post(FORM, whole[..whole.len() - 20].to_vec()).await.expect_problem(400, "");
    post(FORM, b"nonsense".to_vec()).await.expect_problem(400, "");
    post("multipart/form-data", whole.clone()).await.expect_problem(400, "");
    post("image/png", image).await.expect(415);
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let path = stored(&user, json!({"original": base64(png(40, 30, 1))})).await;
    let small = format!("{path}?size=thumbnail");
    let change = async |body| user.put(&path, body).await.expect(200);
    assert_eq!(seen(&user, &small).await, (40, 30, 1), "made of the original");
    change(json!({})).await;
    change(json!({"thumbnail": base64(png(5, 5, 2))})).await;
    assert_eq!((seen(&user, &path).await, seen(&user, &small).await), ((40, 30, 1), (5, 5, 2)));
    change(json!({"thumbnail": null})).await;
    assert_eq!((seen(&user, &path).await, seen(&user, &small).await), ((40, 30, 1), (40, 30, 1)));
    change(json!({"original": base64(png(6, 6, 3))})).await;
    assert_eq!((seen(&user, &path).await, seen(&user, &small).await), ((6, 6, 3), (6, 6, 3)));
    let patched =
        user.patch(&path, json!({"original": base64(png(7, 7, 4)), "thumbnail": base64(png(1, 1, 5))}));
    patched.await.expect(200);
    assert_eq!((seen(&user, &path).await, seen(&user, &small).await), ((7, 7, 4), (1, 1, 5)));

    user.put(&path, json!({"original": null})).await.expect_problem(422, "/original");
    user.put(&path, json!({"original": " "})).await.expect_problem(422, "/original");
    let half = json!({"original": base64(png(8, 8, 6)), "thumbnail": "not one"});
    user.put(&path, half).await.expect_problem(422, "/thumbnail");
    assert_eq!((seen(&user, &path).await, seen(&user, &small).await), ((7, 7, 4), (1, 1, 5)));
}

#[tokio::test]
async fn a_group_s_images_are_read_below_and_changed_above() {
    let test = TestApp::new().await;
    let [root, a, a1, b] =
        [test.user("root").await, test.user("a").await, test.user("a1").await, test.user("b").await];
    let path = stored(&a, draft(png(3, 3, 3))).await;
    for reader in [&root, &a, &a1] {
        assert_eq!(seen(reader, &path).await, (3, 3, 3));
    }
    b.get(&path).await.expect(404);
    for (stranger, status) in [(&a1, 403), (&b, 404)] {
        stranger.put(&path, json!({})).await.expect(status);
        stranger.put(&path, draft(png(1, 1, 1))).await.expect(status);
        stranger.delete(&path).await.expect(status);
    }
    root.put(&path, draft(png(4, 4, 4))).await.expect(200);
    assert_eq!(seen(&a1, &path).await, (4, 4, 4));
    root.delete(&path).await.expect(200);
    a.get(&path).await.expect(404);
    a.delete(&path).await.expect(404);
    a.get("/image/none").await.expect_problem(400, "/id");

    let path = stored(&a, draft(png(3, 3, 3))).await;
    let reader = test.bearer(world::key(&test.app.db, world::A, None, &["fleet.read"]).await);
    let writer = test.bearer(world::key(&test.app.db, world::A, None, &["fleet.write"]).await);
    assert_eq!(seen(&reader, &path).await, (3, 3, 3));
    reader.post("/image", draft(png(3, 3, 3))).await.expect(403);
    reader.put(&path, json!({})).await.expect(403);
    reader.delete(&path).await.expect(403);
    writer.get(&path).await.expect(403);
    writer.put(&path, json!({})).await.expect(200);
}

#[tokio::test]
async fn an_image_that_is_shown_somewhere_stays() {
    let test = TestApp::new().await;
    let user = test.user("root").await;
    let path = stored(&user, draft(png(3, 3, 3))).await;
    let id: i64 = path.strip_prefix("/image/").unwrap().parse().unwrap();
    let refused = async |what: &str| {
        let refused = user.delete(&path).await.expect(409);
        assert!(refused["detail"].as_str().unwrap().contains(what), "{refused}");
        assert_eq!(seen(&user, &path).await, (3, 3, 3));
    };
    user.put("/machinemodel/1", json!({"image": id})).await.expect(200);
    assert_eq!(user.get("/machinemodel/1").await.expect(200)["image"], id);
    refused("machine model 1").await;
    user.put("/machinemodel/1", json!({"image": null})).await.expect(200);

    let campaign = json!({"name": "c", "type": "discount", "voucherValue": 1, "totalVouchers": 0});
    user.post("/campaign", campaign).await.expect(201);
    let logo = async |id: Option<i64>| {
        let set = sqlx::query("UPDATE campaign SET voucher_logo_img = $1").bind(id);
        set.execute(&test.app.db).await.unwrap();
    };
    logo(Some(id)).await;
    refused("campaign").await;
    logo(None).await;
    user.delete(&path).await.expect(200);
    let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM image_rendition");
    assert_eq!(left.fetch_one(&test.app.db).await.unwrap(), 0);
}

#[tokio::test]
async fn a_machine_model_shows_only_what_its_group_sees() {
    let test = TestApp::new().await;
    let (a, b) = (test.user("a").await, test.user("b").await);
    let theirs = stored(&b, draft(png(3, 3, 3))).await;
    let id: i64 = theirs.strip_prefix("/image/").unwrap().parse().unwrap();
    let model = json!({"name": "Barista 8", "manufacturer": 1, "errorProfile": 1});
    let made = a.post("/machinemodel", model).await.expect(201);
    let path = format!("/machinemodel/{}", made["id"]);
    for id in [id, 999_999] {
        a.put(&path, json!({"image": id})).await.expect_problem(422, "/image");
    }
}

#[tokio::test]
async fn what_is_no_image_is_refused_where_it_stands() {
    let test = TestApp::builder().config(|config| config.image_max_pixels = 10_000).build().await;
    let user = test.user("a").await;
    let good = base64(png(2, 2, 2));
    let whole = png(50, 50, 1);
    let mut immense = whole.clone();
    immense[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let hostile = [
        "x!".repeat(5_000),
        "A".repeat(10_001),
        "\u{202e}abc".to_owned(),
        "a\0b".to_owned(),
        base64("<svg xmlns='http://www.w3.org/2000/svg'/>"),
        format!("data:image/svg+xml;base64,{}", base64("<svg/>")),
        "data:image/png,abcd".to_owned(),
        base64("%PDF-1.7 nothing to see"),
        base64(&whole[..whole.len() / 2]),
        base64(&immense),
        base64(png(101, 100, 1)),
    ];
    let path = stored(&user, draft(png(1, 1, 1))).await;
    for text in &hostile {
        let bad = json!({"original": text, "thumbnail": good});
        user.post("/image", bad.clone()).await.expect_problem(422, "/original");
        user.put(&path, bad).await.expect_problem(422, "/original");
        let bad = json!({"original": good, "thumbnail": text});
        user.post("/image", bad.clone()).await.expect_problem(422, "/thumbnail");
        user.put(&path, bad).await.expect_problem(422, "/thumbnail");
    }
    user.post("/image", json!({"thumbnail": good})).await.expect_problem(422, "/original");
    user.post("/image", json!({"original": null})).await.expect_problem(422, "/original");
    user.post("/image", json!({"original": 7})).await.expect_problem(422, "/original");
    user.post("/image", json!({"original": good, "colour": "red"})).await.expect_problem(422, "/colour");
    user.post("/image", json!([])).await.expect_problem(422, "");
    assert_eq!(seen(&user, &path).await, (1, 1, 1));
}

#[tokio::test]
async fn a_limit_is_named_by_what_it_is_in_force_for() {
    let limits = TestApp::builder().config(|config| {
        config.image_max_bytes = 2_000;
        config.body_max_bytes = 1_000;
    });
    let test = limits.build().await;
    let user = test.user("a").await;
    let told = async |reply: Reply| reply.expect(413)["detail"].as_str().unwrap().to_owned();
    let body =
        async |length: usize| told(user.post("/image", json!({"original": "A".repeat(length)})).await).await;
    assert_eq!(body(4_000).await, "the body is larger than 4000 bytes");
    assert_eq!(body(3_000).await, "the original is larger than 2000 bytes");
    let files = async |original: usize, thumbnail: usize| {
        let parts = form(&[("original", &vec![0; original]), ("thumbnail", &vec![0; thumbnail])]);
        told(send(&user, Method::POST, "/image", FORM, parts).await).await
    };
    assert_eq!(files(1_000, 2_001).await, "the thumbnail is larger than 2000 bytes");
    assert_eq!(files(2_000, 2_000).await, "the body is larger than 4000 bytes");
    let elsewhere = user.post("/campaign", json!({"name": "x".repeat(1_000)})).await;
    assert_eq!(told(elsewhere).await, "the body is larger than 1000 bytes");
}

#[tokio::test]
async fn many_images_wait_for_one_another() {
    let narrow = TestApp::builder().config(|config| {
        config.image_uploads_max = 1;
        config.image_parallel_max = 1;
    });
    let test = narrow.build().await;
    let user = test.user("a").await;
    let paths = join_all((1..=12u8).map(|red| stored(&user, draft(png(300, 300, red))))).await;
    for (red, path) in (1..=12u8).zip(paths) {
        assert_eq!(seen(&user, &path).await, (300, 300, red));
    }
}
